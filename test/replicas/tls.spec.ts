import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { selfSigned } from '../../src/admins/certificate-maker.js';
import { Secret } from '../../src/shared/secret.js';
import { AdminClient, AgentConnection, CryptoClient } from '../../src/unit-agent/client.js';
import { freePort } from '../processes.js';
import { createKey, opens, wrap } from '../units.js';
import { until } from '../until.js';
import { World } from '../world.js';
import { Certificates } from './certificates.js';
import { StandaloneAgent, writeAgentsFile } from './standalone-agents.js';

/** Agents across a network: mutual TLS, and a server under KEYSTEAD_PROFILE=production, which allows nothing less here. */
const dir = mkdtempSync(join(tmpdir(), 'kst-'));
const file = join(dir, 'agents.json');
let certificates: Certificates;
let agents: StandaloneAgent[];
let ports: number[];
let world: World;

beforeAll(async () => {
  certificates = new Certificates(join(dir, 'tls'));
  ports = await Promise.all([1, 2].map(() => freePort()));
  agents = ports.map((port, at) => {
    const own = join(dir, `agent-${at + 1}`);
    mkdirSync(own, { mode: 0o700 });
    const { certFile, keyFile, caFile } = certificates.issue(`unit-${at + 1}`);
    const tls = ['--tls-cert', certFile, '--tls-key', keyFile, '--tls-client-ca', caFile];
    return new StandaloneAgent(own, `tls:127.0.0.1:${port}`, tls);
  });
  await Promise.all(agents.map((agent) => agent.start()));
  writeAgentsFile(file, agents, certificates.issue('server'));
  world = await World.withInstance(2, {
    env: {
      KEYSTEAD_AGENTS_FILE: file,
      KEYSTEAD_PROFILE: 'production',
      KEYSTEAD_ALLOW_PLAINTEXT: '1',
      KEYSTEAD_IMPORT_PAIR_POOL: '0',
    },
    urlFile: true,
  });
  await world.initialise();
}, 180_000);
afterAll(async () => {
  await world?.end();
  await Promise.all((agents ?? []).map((agent) => agent.end()));
  rmSync(dir, { recursive: true, force: true });
});

const kmsKey = () => createPrivateKey(readFileSync(join(world.sharedDir, 'instances', world.instance, 'kms-user.pem')));
const dial = (cert: string, key: string) => {
  const ca = readFileSync(certificates.at('ca.pem'), 'utf8');
  return { host: '127.0.0.1', port: ports[0] as number, ca, cert, key };
};
const connect = (cert: string, key: string) => AgentConnection.connect(dial(cert, key), { deadlineMs: 5_000 });
const serverFiles = () => {
  const [cert, key] = ['pem', 'key'].map((end) => readFileSync(certificates.at(`server.${end}`), 'utf8'));
  return [cert, key] as [string, string];
};
const ownCertificate = async (key = kmsKey()) => {
  const pkcs8 = new Secret(key.export({ type: 'pkcs8', format: 'der' }));
  return [await selfSigned('kms', pkcs8, key), key.export({ type: 'pkcs8', format: 'pem' }).toString()] as const;
};
const noise = () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;

it('the whole ceremony works, keys serve, and health says that agents are separate', async () => {
  const key = await createKey(world, 'root');
  expect(await opens(world, key, await wrap(world, key))).toBe(true);
  expect((await world.api('GET', '/health')).body.isolation).toBe('separate');
  const shown = await world.kp('crypto-unit', 'show', (await world.units())[0]?.id ?? '');
  expect(shown.stdout).toMatch(/Isolation +separate/);
});

it('a certificate of the client CA opens the admin set, and not the crypto set', async () => {
  const connection = await connect(...serverFiles());
  const { facts } = await new AdminClient(connection).probe();
  expect(facts.unit).toBe(agents[0]?.unitId);
  await expect(CryptoClient.open(connection, kmsKey())).rejects.toMatchObject({
    code: 'KMS_USER_REFUSED',
    message: expect.stringContaining('client certificate'),
  });
  connection.close();
});

it('the key of the KMS user opens the crypto set, and not the admin set', async () => {
  const connection = await connect(...(await ownCertificate()));
  const client = await CryptoClient.open(connection, kmsKey());
  expect(await client.random(16)).toHaveLength(16);
  await expect(new AdminClient(connection).probe()).rejects.toMatchObject({ code: 'FORBIDDEN' });
  connection.close();
});

it.each([
  ['a key that is not enrolled', () => ownCertificate(noise())],
  [
    'a certificate of another CA',
    async () => {
      const { certFile, keyFile } = new Certificates(join(dir, 'other')).issue('server');
      return [readFileSync(certFile, 'utf8'), readFileSync(keyFile, 'utf8')] as const;
    },
  ],
])('%s opens nothing', async (_what, shown) => {
  const connection = await connect(...(await shown()));
  await expect(new AdminClient(connection).probe()).rejects.toMatchObject({ code: 'UNIT_UNREACHABLE' });
  await connection.closed;
  expect(agents[0]?.log).toContain('connection-refused');
});

it('without a certificate, or below TLS 1.3, there is no connection to speak on', async () => {
  const ca = readFileSync(certificates.at('ca.pem'));
  const [cert, key] = serverFiles();
  const reach = { host: '127.0.0.1', port: ports[0] as number, ca };
  const lost = (socket: TLSSocket) =>
    new Promise<void>((resolve) => socket.on('error', () => undefined).once('close', () => resolve()));
  await lost(connectTls(reach));
  const old = connectTls({ ...reach, cert, key, maxVersion: 'TLSv1.2' });
  let spoken = false;
  old.once('secureConnect', () => {
    spoken = true;
  });
  await lost(old);
  expect(spoken).toBe(false);
});

it('an agent whose certificate is for another host, or of another CA, is not spoken to', async () => {
  const [cert, key] = serverFiles();
  const ca = readFileSync(new Certificates(join(dir, 'third')).at('ca.pem'), 'utf8');
  await expect(AgentConnection.connect({ ...dial(cert, key), ca }, { deadlineMs: 5_000 })).rejects.toMatchObject({
    code: 'UNIT_UNREACHABLE',
    message: expect.stringMatching(/certificate/),
  });
  await expect(
    AgentConnection.connect({ ...dial(cert, key), host: 'localhost' }, { deadlineMs: 5_000 }),
  ).rejects.toMatchObject({ message: expect.stringMatching(/altnames/) });
});

it('a renewed certificate is taken on SIGHUP, without a new start of the agent or the server', async () => {
  const [agent] = agents as [StandaloneAgent];
  const { pid } = agent;
  const serialNow = () =>
    new Promise<string>((resolve, reject) => {
      const [cert, key] = serverFiles();
      const socket: TLSSocket = connectTls(dial(cert, key), () => {
        resolve(socket.getPeerCertificate().serialNumber);
        socket.destroy();
      }).once('error', reject);
    });
  const before = await serialNow();
  certificates.issue('unit-1');
  process.kill(pid, 'SIGHUP');
  await until(async () => (await serialNow()) !== before, 5_000);
  expect(agent.pid).toBe(pid);
  expect(agent.running).toBe(true);
  expect((await world.api('GET', '/readyz')).status).toBe(200);
});

it('production has no claim with a bare public key', async () => {
  const publicKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({
    type: 'pkcs1',
    format: 'pem',
  });
  const [unit] = await world.units();
  const claim = await world.api(
    'POST',
    '/api/v1/cryptounits/claim',
    { certificate: publicKey },
    { 'crypto-unit-id': unit?.id ?? '' },
  );
  expect([claim.status, claim.text]).toEqual([expect.any(Number), expect.stringMatching(/bare|KEYSTEAD_BARE_CLAIM/)]);
});

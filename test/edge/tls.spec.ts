import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { Agent, type RequestOptions, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { makeDatabase, type OwnDatabase } from '../database/own-database.js';
import { ServerProcess, until } from '../database/server-process.js';
import { type Ran, ROOT, run } from '../processes.js';
import { type Issued, TestCa } from './certificates.js';
import { hello } from './tls-handshake.js';

/** A server that ends TLS itself, and whose administrators show certificates. */
const RELOADS = 20;
const dir = mkdtempSync(join(tmpdir(), 'keystead-tls-'));
const served: Issued = { certFile: join(dir, 'served.pem'), keyFile: join(dir, 'served.key') };
let ca: TestCa;
let admins: TestCa;
let pairs: readonly [Issued, Issued];
let operator: Issued;
let stranger: Issued;
let own: OwnDatabase;
let server: ServerProcess;
let port: number;

beforeAll(async () => {
  ca = new TestCa(dir);
  admins = new TestCa(dir, 'admins');
  pairs = [ca.issue('one'), ca.issue('two')];
  operator = admins.issue('operator');
  stranger = ca.issue('stranger');
  put(pairs[0]);
  own = await makeDatabase();
  server = await ServerProcess.start(dir, {
    KEYSTEAD_DATABASE_URL: own.url,
    KEYSTEAD_TLS_CERT_FILE: served.certFile,
    KEYSTEAD_TLS_KEY_FILE: served.keyFile,
    KEYSTEAD_ADMIN_CLIENT_CA_FILE: admins.caFile,
  });
  port = Number(new URL(server.url).port);
}, 60_000);
afterAll(async () => {
  await server?.end();
  await own?.drop();
  rmSync(dir, { recursive: true, force: true });
});

/** As programs that renew certificates do it: each file whole, one after the other. */
function put({ certFile, keyFile }: Issued): void {
  for (const [from, to] of [
    [certFile, served.certFile],
    [keyFile, served.keyFile],
  ] as const) {
    copyFileSync(from, `${to}.new`);
    chmodSync(`${to}.new`, 0o600);
    renameSync(`${to}.new`, to);
  }
}

const apiKey = () => readFileSync(join(dir, 'data', 'bootstrap-api-key'), 'utf8').trim();

// biome-ignore lint/suspicious/noExplicitAny: what the server says is what the spec looks at
type Body = any;
/** One request over TLS. */
function ask(path: string, options: RequestOptions = {}, shown?: Issued) {
  const pair = shown && { cert: readFileSync(shown.certFile), key: readFileSync(shown.keyFile) };
  const trust = { host: '127.0.0.1', port, ca: readFileSync(ca.caFile) };
  const headers = { authorization: `Bearer ${apiKey()}` };
  return new Promise<{ status: number; headers: Record<string, unknown>; body: Body }>((resolve, reject) => {
    const asked = request({ ...trust, path, headers, ...pair, ...options }, async (answer) => {
      const text = Buffer.concat(await answer.toArray()).toString();
      const body = text.startsWith('{') ? JSON.parse(text) : text;
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body });
    });
    asked.on('error', reject).end();
  });
}

const serialNow = () =>
  new Promise<string>((resolve, reject) => {
    const socket: TLSSocket = connectTls({ host: '127.0.0.1', port, ca: readFileSync(ca.caFile) }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    }).once('error', reject);
  });
const logged = (event: string) =>
  server.output.split('\n').filter((line) => line.includes(`"event":"${event}"`)).length;

describe('a handshake', () => {
  const GOOD = [0xc02b, 0xc02c, 0xcca9, 0xc02f];

  it('with TLS 1.2 and an ephemeral key exchange and AEAD goes on, with and without a server name', async () => {
    expect(await hello(port, 0x0303, GOOD)).toBe('continues');
    expect(await hello(port, 0x0303, GOOD, 'elsewhere.example')).toBe('continues');
  });

  it.each([
    ['TLS 1.1', 0x0302],
    ['TLS 1.0', 0x0301],
  ])('with %s is refused, with and without a server name', async (_what, version) => {
    const suites = [...GOOD, 0xc009, 0xc00a, 0x002f, 0x0035];
    expect(await hello(port, version, suites)).toBe('protocol_version');
    expect(await hello(port, version, suites, 'elsewhere.example')).toBe('protocol_version');
  });

  it.each([
    ['RC4', [0x0005, 0xc007, 0xc011]],
    ['3DES', [0x000a, 0xc008, 0xc012]],
    ['CBC with SHA-1', [0x002f, 0x0035, 0xc009, 0xc00a, 0xc013, 0xc014]],
    ['CBC with SHA-2', [0x003c, 0xc023, 0xc024, 0xc027]],
    ['no ephemeral key exchange', [0x009c, 0x009d]],
    ['finite-field Diffie-Hellman', [0x009e, 0x009f, 0xccaa]],
    ['no encryption, or no authentication', [0x0000, 0x0001, 0x003b, 0xc006, 0x0034, 0x00a6]],
    ['export grade', [0x0003, 0x0006, 0x0008]],
  ])('with %s is refused', async (_what, suites) => {
    expect(await hello(port, 0x0303, suites)).toBe('handshake_failure');
  });

  it('is not repeated on an open connection', () => {
    const words = ['s_client', '-connect', `127.0.0.1:${port}`, '-tls1_2', '-CAfile', ca.caFile];
    const { stdout, stderr } = spawnSync('openssl', words, { input: 'R\n', encoding: 'utf8', timeout: 10_000 });
    expect(stdout).toContain('Cipher is ECDHE-ECDSA-AES256-GCM-SHA384');
    expect(`${stdout}${stderr}`).toMatch(/RENEGOTIATING[\s\S]*no renegotiation/);
  });
});

it('an answer tells browsers to stay with HTTPS', async () => {
  expect((await ask('/livez')).headers['strict-transport-security']).toBe('max-age=31536000');
});

describe('a renewed certificate', () => {
  const shownEnd = async () => (await ask('/health')).body.checks['tls:certificate'][0];

  it(`is taken ${RELOADS} times under load, and no request is dropped`, async () => {
    const seen = new Set<string>();
    let sent = 0;
    const failures: unknown[] = [];
    let over = false;
    const client = async (agent: Agent | false) => {
      while (!over) {
        sent += 1;
        const { status } = await ask('/livez', { agent }).catch((cause) => ({ status: String(cause) }));
        if (status !== 200) failures.push(status);
      }
      if (agent) agent.destroy();
    };
    const kept = () => new Agent({ keepAlive: true, maxSockets: 1 });
    const clients = Promise.all([kept(), kept(), kept(), false, false, false].map((agent) => client(agent as Agent)));
    for (let n = 1; n <= RELOADS; n += 1) {
      put(pairs[n % 2] as Issued);
      process.kill(server.pid, 'SIGHUP');
      await until(() => logged('tls-reloaded') >= n, 10_000);
      seen.add(`${n % 2} ${await serialNow()}`);
    }
    over = true;
    await clients;
    expect(failures).toEqual([]);
    expect(sent).toBeGreaterThan(10 * RELOADS);
    expect(seen.size).toBe(2); // each of the two, every time it was its turn
  }, 60_000);

  it('is found without a signal, and health says when it ends', async () => {
    const before = await serialNow();
    const soon = ca.issue('soon', 5);
    put(soon);
    await until(async () => (await serialNow()) !== before, 20_000);
    expect(await shownEnd()).toMatchObject({ observedUnit: 'not_after', status: 'warn' });
    const days = (Date.parse((await shownEnd()).observedValue) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(4.9);
    expect(days).toBeLessThan(5.1);
  });

  it.each([
    ['whose key is another one', () => copyFileSync(pairs[0].keyFile, served.keyFile), /do not go together/],
    [
      'that is no certificate',
      () => writeFileSync(served.certFile, 'nonsense'),
      /KEYSTEAD_TLS_CERT_FILE cannot be read/,
    ],
    ['that is gone', () => rmSync(served.certFile), /KEYSTEAD_TLS_CERT_FILE cannot be read/],
    ['that has ended', () => put(ca.issue('ended', -1)), /ended on .* put a new one there/],
    ['whose key others can read', () => chmodSync(served.keyFile, 0o644), /mode 0400 or 0600/],
  ])('%s is refused in the log, and the one before it stays', async (_what, spoil, why) => {
    put(pairs[1]);
    const [taken, count] = [logged('tls-reloaded'), logged('tls-not-reloaded')];
    process.kill(server.pid, 'SIGHUP');
    await until(() => logged('tls-reloaded') > taken, 10_000);
    const good = await serialNow();
    spoil();
    process.kill(server.pid, 'SIGHUP');
    await until(() => logged('tls-not-reloaded') > count, 10_000);
    expect(server.event('tls-not-reloaded')?.['message']).toMatch(why);
    expect(await serialNow()).toBe(good);
  });
});

describe('what administers', () => {
  const INSTANCES = '/api/v1/instances';

  it.each([
    INSTANCES,
    '/api/v1/cryptounits',
    '/api/v1/api-keys',
    '/api/v1/access-keys',
    '/api/v1/audit',
    '/api/v1/audit/head',
  ])('needs a client certificate of the administrators’ CA: %s', async (path) => {
    for (const shown of [undefined, stranger]) {
      const { status, body } = await ask(path, {}, shown);
      expect([status, body.resources[0].reasons[0].code]).toEqual([403, 'FORBIDDEN']);
      expect(body.resources[0].reasons[0].message).toMatch(/client certificate.*KP_CLIENT_CERT_FILE/);
    }
    expect((await ask(path, {}, operator)).status).not.toBe(403);
  });

  it('needs the API key as well', async () => {
    expect((await ask(INSTANCES, { headers: {} }, operator)).status).toBe(401);
  });

  it('is in the audit log when it was refused', async () => {
    await ask(INSTANCES, {}, stranger);
    const { body } = await ask('/api/v1/audit?outcome=failure&limit=1', {}, operator);
    expect(body.lines[0]).toMatchObject({ act: 'instance.read', outcome: 'failure', detail: { refused: 'FORBIDDEN' } });
  });

  it.each(['/metrics', '/livez', '/health'])('is not %s', async (path) => {
    expect((await ask(path)).status).not.toBe(403);
  });

  it('is not the use of keys', async () => {
    const { status, body } = await ask('/api/v2/keys', { headers: { authorization: `Bearer ${apiKey()}`, 'bluemix-instance': '6e0aead3-9d44-4c92-a4c4-f7a1ab415420' } }); // biome-ignore format: one line
    expect(status).not.toBe(403);
    expect(JSON.stringify(body)).not.toContain('certificate');
  });
});

describe('kp', () => {
  const kp = (env: Record<string, string>, ...words: string[]): Promise<Ran> =>
    run(process.execPath, [join(ROOT, 'bin', 'kp'), ...words], {
      cwd: dir,
      env: {
        PATH: process.env['PATH'] ?? '',
        KP_TARGET_ADDR: server.url,
        KP_API_KEY_FILE: join(dir, 'data', 'bootstrap-api-key'),
        ...env,
      },
    });
  const trusts = () => ({ KP_CA_FILE: ca.caFile });
  const shows = ({ certFile, keyFile }: Issued) => ({ KP_CLIENT_CERT_FILE: certFile, KP_CLIENT_KEY_FILE: keyFile });

  it('trusts the CA of KP_CA_FILE and no other, and says so', async () => {
    for (const env of [{}, { KP_CA_FILE: admins.caFile }]) {
      const { code, stderr } = await kp({ ...env, ...shows(operator) }, 'instance', 'list');
      expect([code, stderr]).toEqual([1, expect.stringMatching(/set KP_CA_FILE/)]);
    }
    expect((await kp({ ...trusts(), ...shows(operator) }, 'instance', 'list')).code).toBe(0);
  });

  it('shows the certificate of KP_CLIENT_CERT_FILE; what is wrong with it is said with the way out', async () => {
    const open = join(dir, 'open.key');
    copyFileSync(operator.keyFile, open);
    chmodSync(open, 0o644);
    const cases: [Record<string, string>, number, RegExp][] = [
      [{}, 4, /client certificate.*KP_CLIENT_CERT_FILE and KP_CLIENT_KEY_FILE/],
      [shows(stranger), 4, /client certificate.*KEYSTEAD_ADMIN_CLIENT_CA_FILE/],
      [{ KP_CLIENT_CERT_FILE: operator.certFile }, 2, /set both or none/],
      [shows({ ...operator, keyFile: open }), 1, /only you can read/],
      [shows({ ...operator, keyFile: stranger.keyFile }), 1, /do not go together/],
    ];
    for (const [env, exit, why] of cases) {
      const { code, stderr } = await kp({ ...trusts(), ...env }, 'instance', 'list');
      expect([code, stderr]).toEqual([exit, expect.stringMatching(why)]);
    }
  });
});

it('without TLS of its own a server cannot ask for client certificates, and says so at its start', async () => {
  const other = join(dir, 'other');
  mkdirSync(other);
  const refused = ServerProcess.launch(other, { KEYSTEAD_ADMIN_CLIENT_CA_FILE: admins.caFile });
  expect(await refused.ended()).toBe(2);
  expect(refused.output).toMatch(/KEYSTEAD_ADMIN_CLIENT_CA_FILE needs KEYSTEAD_TLS_CERT_FILE/);
});

import 'reflect-metadata'; // which @peculiar/x509 asks for
import { webcrypto } from 'node:crypto';
import { X509CertificateGenerator } from '@peculiar/x509';
import { Machine } from './machine.js';
import { until } from './until.js';
import { World } from './world.js';

/** Units of one instance that have come apart, and what brings them together; plans; certificates that end. */
let world: World;
let ids: [string, string, string];
beforeAll(async () => {
  world = await World.initialised(3);
  ids = (await world.units()).map(({ id }) => id) as typeof ids;
  for (const file of ['bob.key', 'eve.key']) {
    await succeed('crypto-unit', 'sig-key', 'generate', '--file', file, '--passphrase', PASS);
  }
}, 180_000);
afterAll(() => world.end());

const PASS = 'correct horse battery';
const on = (unit: string, ...names: string[]) => {
  const signers = names.length > 0 ? names : ['ADMIN'];
  const Auth = signers.map((name) => ({ [name]: fileOf(name) }));
  return ['--cu', JSON.stringify([{ CryptoUnitId: unit, Auth }])];
};
const fileOf = (name: string) => `${name === 'ADMIN' ? 'admin' : name}.key#env:ADMIN_PASSPHRASE`;
const addBob = ['crypto-unit', 'user', 'add', '--type', 'admin', '--name', 'bob', '--credential', 'bob.key'];

async function succeed(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await world.kp(...args);
  if (code !== 0) throw new Error(`kp ${args.join(' ')}: exit ${code}\n${stdout}${stderr}`);
  return stdout;
}
interface Found {
  readonly equal: boolean;
  readonly differences: {
    what: string;
    values: { value: string; units: string[] }[];
    repairs: { command: string; when?: string }[];
  }[];
}
async function diff(): Promise<Found & { code: number | null }> {
  const { code, stdout } = await world.kp('crypto-units', 'diff', '-o', 'json');
  return { code, ...(JSON.parse(stdout) as Found) };
}
/** A printed command with the people's files in their places. */
function filled(command: string): string {
  return command
    .replaceAll('--credential FILE_OF_ADMIN', '--credential admin.key')
    .replaceAll('--credential FILE_OF_bob', '--credential bob.key')
    .replaceAll('["FILE_OF_SHARE","FILE_OF_SHARE"]', '["share-1.key#env:SHARE_1","share-3.key#env:SHARE_3"]')
    .replaceAll(/FILE_OF_(\w+)/g, (_all, name: string) => fileOf(name));
}
/** Runs the first repair that is printed, until the units are the same. */
async function repairAll(): Promise<string[]> {
  const ran: string[] = [];
  for (let turn = 0; turn < 8; turn += 1) {
    const { differences } = await diff();
    const command = differences[0]?.repairs[0]?.command;
    if (!command) return ran;
    const { code, stdout, stderr } = await world.shell(filled(command));
    if (code !== 0) throw new Error(`${command}: exit ${code}\n${stdout}${stderr}`);
    ran.push(command);
  }
  throw new Error(`still different after: ${ran.join('\n')}`);
}

describe('kp crypto-units diff', () => {
  afterEach(async () => {
    expect(await diff()).toMatchObject({ code: 0, equal: true, differences: [] });
  });

  it('says OK of units that are set up the same', async () => {
    expect(await succeed('crypto-units', 'diff')).toBe('OK\n3 crypto units are set up the same.\n');
  });

  it('finds an administrator who is not everywhere: exit 5, and the command it prints adds him', async () => {
    for (const unit of ids.slice(0, 2)) await succeed(...addBob, ...on(unit));
    const { code, differences } = await diff();
    expect([code, differences.map(({ what }) => what)]).toEqual([5, ["administrator 'bob'"]]);
    expect(differences[0]?.values).toMatchObject([
      { units: ids.slice(0, 2) },
      { value: 'not enrolled', units: [ids[2]] },
    ]);
    const shown = await world.kp('crypto-units', 'diff');
    expect([shown.code, shown.stderr]).toEqual([5, expect.stringContaining("differ in: administrator 'bob'")]);
    expect(shown.stdout).toContain(differences[0]?.repairs[0]?.command);
    expect(await repairAll()).toHaveLength(1);
  }, 120_000);

  it('finds another threshold, and the command it prints is signed by enough', async () => {
    await succeed('crypto-unit', 'threshold', 'set', '2', ...on(ids[1], 'ADMIN', 'bob'));
    expect((await diff()).differences).toMatchObject([
      { what: 'threshold', values: [{ value: '1' }, { value: '2', units: [ids[1]] }] },
    ]);
    expect(await repairAll()).toEqual([expect.stringContaining('threshold set 1')]);
  }, 120_000);

  it('finds a unit without kmsCryptoUser, and one in maintenance', async () => {
    await succeed('crypto-unit', 'user', 'remove', '-u', `${world.instance}-kp-user`, ...on(ids[0]));
    await succeed('crypto-unit', 'maintenance', ids[2], '--on');
    expect((await diff()).differences.map(({ what }) => what)).toEqual(['maintenance', 'kmsCryptoUser']);
    expect(await repairAll()).toHaveLength(2);
  }, 120_000);

  it('brings a unit that was zeroized back: claim, administrators, kmsCryptoUser, master key', async () => {
    await succeed('crypto-unit', 'zeroize', '--id', ids[1], '--auth', world.auth);
    const commands = await repairAll();
    expect(commands.map((command) => command.split(' ').slice(1, 4).join(' '))).toEqual([
      'crypto-unit claim --credential',
      'crypto-unit user add',
      'crypto-unit user add',
      'crypto-unit mk import',
    ]);
    await until(async () => (await world.states()).every((state) => state === 'kms-initialized'), 10_000);
  }, 180_000);

  it('tells what units sign from what the server says: a key that is not known here is said to be unknown', async () => {
    const stranger = Machine.online(world, 'stranger');
    const { code, stdout, stderr } = await stranger.kp('crypto-units', 'diff', '-o', 'json');
    expect(code).toBe(0);
    expect(stderr).toContain('is not known here, so this may come from the server');
    expect(JSON.parse(stdout).units).toEqual(
      ids.map((unit) => expect.objectContaining({ unit, receiptKeyKnown: false })),
    );
  });
});

describe('--plan', () => {
  const two = '["share-1.key#env:SHARE_1","share-3.key#env:SHARE_3"]';
  const fresh = '["new-1.key#env:SHARE_1","new-2.key#env:SHARE_2"]';
  const CASES: readonly (readonly [string, readonly string[], number, RegExp])[] = [
    ['claim', ['claim', '--credential', 'admin.key'], 0, /is claimed with this key; nothing changes/],
    ['claim with another key', ['claim', '--credential', 'eve.key'], 1, /would refuse it: it is kms-initialized/],
    [
      'threshold set',
      ['threshold', 'set', '2'],
      0,
      /sign each command to 2\n +it was 1, and the unit has 2 administrators\n +signed by nobody yet; needed: 2/,
    ],
    ['threshold set too high', ['threshold', 'set', '5'], 1, /would refuse it: 5 administrators cannot be asked/],
    ['user remove', ['user', 'remove', '-u', 'bob'], 0, /removes the user 'bob'\n +administrators afterwards: ADMIN/],
    ['user remove of nobody', ['user', 'remove', '-u', 'eve'], 1, /would refuse it: the unit has no user 'eve'/],
    ['user add', ['user', 'add', '--type', 'kmsCryptoUser'], 1, /would refuse it: the unit has the kmsCryptoUser/],
    ['mk import', ['mk', 'import', '--keyshare-files', two], 0, /holds this master key already; nothing changes/],
    ['mk generate', ['mk', 'generate', '--keyshare-files', fresh, '--key-name', 'NEW'], 0, /draws 32 random bytes/],
    ['mk importer', ['mk', 'importer'], 0, /makes a one-time key/],
    ['zeroize', ['zeroize', '--id', 'UNIT', '--force'], 0, /destroys everything.*it holds the master key and serves/s],
  ];
  const records = async () =>
    Promise.all(ids.map(async (id) => (await world.api('GET', `/api/v1/cryptounits/${id}`)).body.record));

  it.each(CASES)('of %s shows each unit and sends nothing', async (_what, args, code, said) => {
    const before = await records();
    const words = args.map((word) => (word === 'UNIT' ? ids[0] : word));
    const ran = await world.kp('crypto-unit', ...words, '--plan');
    expect({ code: ran.code, stdout: ran.stdout, stderr: code === 0 ? '' : ran.stderr }).toMatchObject({
      code,
      stdout: expect.stringMatching(/^(The kmsCryptoUser is .*\n)?Nothing is sent\./),
    });
    expect(ran.stdout).toMatch(said);
    const json = JSON.parse((await world.kp('crypto-unit', ...words, '--plan', '-o', 'json')).stdout);
    expect(json).toMatchObject({
      sent: false,
      units: expect.arrayContaining([expect.objectContaining({ id: ids[0] })]),
    });
    expect(await records()).toEqual(before);
  });

  it('of instance delete shows what is destroyed and deletes nothing', async () => {
    const { code, stdout, stderr } = await world.kp('instance', 'delete', 'TEST', '--plan');
    expect([code, stdout.match(/destroys everything/g)?.length]).toEqual([0, 3]);
    expect(stderr).toContain('The instance TEST');
    expect(await world.states()).toEqual(['kms-initialized', 'kms-initialized', 'kms-initialized']);
  });

  it('of a command that some units would refuse: exit code 3', async () => {
    await succeed('crypto-unit', 'user', 'remove', '-u', 'bob', ...on(ids[0]));
    const { code, stdout } = await world.kp('crypto-unit', 'user', 'remove', '-u', 'bob', '--plan');
    expect([code, stdout]).toEqual([3, expect.stringMatching(/no user 'bob'.*administrators afterwards: ADMIN/s)]);
    await succeed(...addBob, ...on(ids[0]));
  });
});

describe('the certificate of an administrator', () => {
  const DAY_MS = 86_400_000;

  /** A signature key file whose certificate ends so many days from now. */
  async function keyEnding(days: number): Promise<string> {
    const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048, publicExponent: E };
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const certificate = await X509CertificateGenerator.createSelfSigned({
      serialNumber: '01',
      name: 'CN=ending',
      notBefore: new Date(Date.now() - 400 * DAY_MS),
      notAfter: new Date(Date.now() + days * DAY_MS),
      keys,
      signingAlgorithm: algorithm,
    });
    const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
    const lines = der.match(/.{1,64}/g)?.join('\n');
    return `${certificate.toString('pem')}\n-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n`;
  }
  const E = new Uint8Array([1, 0, 1]);

  it.each([
    ['has ended', -3, 'ended on'],
    ['ends in a week', 7, 'ends on'],
  ])('that %s is warned of wherever it shows, and locks nobody out', async (_what, days, words) => {
    world.file('old.key', await keyEnding(days));
    const auth = ['--auth', world.auth];
    await succeed('crypto-unit', 'user', 'add', '--type', 'admin', '--name', 'old', '--credential', 'old.key', ...auth);
    const sentence = `administrator 'old'`;
    for (const command of [['crypto-units'], ['crypto-unit', 'users']]) {
      const listed = async () => (await world.kp(...command)).stderr;
      await until(async () => (await listed()).includes(sentence), 10_000);
      expect(await listed()).toMatch(new RegExp(`${sentence} .* ${words} 20`));
    }
    const day = new Date(Date.now() + days * DAY_MS).toISOString().slice(0, 10);
    expect(await succeed('crypto-unit', 'users')).toMatch(new RegExp(`^Certificates end: ADMIN .*old ${day}$`, 'm'));
    const own = await world.kp('crypto-unit', 'user', 'remove', '-u', 'old', '--auth', '[{"old":"old.key"}]');
    expect([own.code, own.stderr]).toEqual([0, expect.stringMatching(new RegExp(`${sentence} .* ${words}`))]);
    expect((await world.kp('crypto-unit', 'users')).stderr).toBe('');
  });
});

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type HowToRun, kp, ownDirectory, type Ran } from './kp.js';
import { StandInServer } from './stand-in-server.js';

const PASS = 'correct horse battery';
const AUTH = '[{"ADMIN":"admin.key#env:ADMIN_PASS"}]';
const OLD = '["s1.ks#env:S1","s2.ks#env:S2","s3.ks#env:S3"]';

let home: Awaited<ReturnType<typeof ownDirectory>>;
let server: StandInServer;

beforeEach(async () => {
  home = await ownDirectory();
  server = await new StandInServer(3).start();
  const made = await run([
    'crypto-unit',
    'sig-key',
    'generate',
    '--file',
    'admin.key',
    '--passphrase',
    'env:ADMIN_PASS',
  ]);
  expect(made).toMatchObject({ code: 0 });
});
afterEach(async () => {
  await server.stop();
  await home.drop();
});

function run(args: readonly string[], how: HowToRun = {}): Promise<Ran> {
  const secrets = { ADMIN_PASS: PASS, S1: 'share number one', S2: 'share number two', S3: 'share number three' };
  return kp(args, {
    ...how,
    cwd: home.path,
    env: { ...server.env, ...secrets, KP_HOME: join(home.path, 'kp'), ...how.env },
  });
}
/** Runs a line that kp printed, through a shell, with bin/kp for kp. */
async function runLine(line: string): Promise<Ran> {
  const words = [...line.matchAll(/'((?:[^']|'\\'')*)'|(\S+)/g)].map(
    ([, quoted, bare]) => quoted?.replaceAll("'\\''", "'") ?? bare ?? '',
  );
  expect(words[0]).toBe('kp');
  return run(words.slice(1));
}
const claim = () => run(['crypto-unit', 'claim', '--credential', 'admin.key']);
const nextOf = ({ stderr }: Ran) => /^Next: (.*)$/m.exec(stderr)?.[1] ?? '';
const addKmsUser = ['crypto-unit', 'user', 'add', '--type', 'kmsCryptoUser', '--auth', AUTH];
const errorOf = ({ stderr }: Ran) =>
  JSON.parse(stderr.trim().split('\n').at(-1) ?? '{}') as { error: { code: string; message: string; next?: string } };

test('the initialisation of the seed works from claim to kms-initialized, and back to reserved', async () => {
  const claimed = await claim();
  expect(claimed).toMatchObject({ code: 0, stderr: '' });
  for (const unit of server.units) {
    expect(claimed.stdout).toContain(`Executing operation Claim against CryptoUnit with ID ${unit.id}\nOK\n`);
    expect(claimed.stdout).toContain(`Receipt key of ${unit.id}: ${unit.fingerprint}`);
  }
  const generated = await run([
    'crypto-unit',
    'mk',
    'generate',
    '--keyshare-files',
    OLD,
    '--keyshare-minimum',
    '2',
    '--algo',
    'AES-256',
    '--key-name',
    'main',
    '--auth',
    AUTH,
    '-o',
    'json',
  ]);
  expect(generated).toMatchObject({ code: 0, stderr: '' });
  const { mkvp } = JSON.parse(generated.stdout) as { mkvp: string };

  const imported = await run([
    'crypto-unit',
    'master-key',
    'import',
    '--keyshare-files',
    '["s3.ks#env:S3","s1.ks#env:S1"]',
    '--auth',
    AUTH,
  ]);
  expect(imported).toMatchObject({ code: 0, stderr: '' });
  expect(imported.stdout).toContain(
    `Executing operation Import Master Key against CryptoUnit with ID ${server.units[2]?.id}\nOK`,
  );
  for (const unit of server.units) expect(unit.masterKey).toMatchObject({ mkvp, name: 'main' });

  const added = await run(addKmsUser);
  expect(added).toMatchObject({ code: 0, stderr: '' });
  const listed = JSON.parse((await run(['crypto-unit', 'mk', 'list', '-o', 'json'])).stdout) as unknown[];
  expect(listed).toHaveLength(3);
  expect(listed[0]).toMatchObject({ receiptKeyKnown: true, state: 'kms-initialized', masterKey: { mkvp } });
  const users = await run(['crypto-unit', 'users']);
  expect(users.stdout).toMatch(/^ADMIN +22000000 +RSA sign +Z\[0\] +[0-9a-f]{64}$/m);

  const removed = await run(['instance', 'delete', 'payments', '--auth', AUTH, '--yes']);
  expect(removed).toMatchObject({ code: 0 });
  expect(server.units.map(({ state }) => state)).toEqual(['reserved', 'reserved', 'reserved']);
  expect(server.seen.at(-1)).toBe(`DELETE /api/v1/instances/${server.instance.id}`);
}, 120_000);

test('reshare makes a new set with the same check value, and verify says so offline', async () => {
  await claim();
  const generate = [
    'crypto-unit',
    'mk',
    'generate',
    '--keyshare-files',
    OLD,
    '--key-name',
    'main',
    '--auth',
    AUTH,
    '-o',
    'json',
  ];
  const old = JSON.parse((await run(generate)).stdout) as { mkvp: string; mkId: string; setId: string };
  const calls = server.seen.length;
  const reshared = await run([
    'crypto-unit',
    'mk',
    'reshare',
    '--keyshare-files',
    '["s1.ks#env:S1","s2.ks#env:S2"]',
    '--new-keyshare-files',
    '["n1.ks#env:S1","n2.ks#env:S2","n3.ks#env:S3"]',
    '--keyshare-minimum',
    '2',
    '-o',
    'json',
  ]);
  expect(reshared).toMatchObject({ code: 0, stderr: '' });
  const verified = await run([
    'crypto-unit',
    'mk',
    'verify',
    '--keyshare-files',
    '["n1.ks#env:S1","n3.ks#env:S3"]',
    '-o',
    'json',
  ]);
  const { set, mkvp } = JSON.parse(verified.stdout) as { set: { mkId: string; setId: string }; mkvp: string };
  expect({ mkvp, mkId: set.mkId }).toEqual({ mkvp: old.mkvp, mkId: old.mkId });
  expect(set.setId).not.toBe(old.setId);
  expect(server.seen).toHaveLength(calls);
  const mixed = await run([
    'crypto-unit',
    'mk',
    'verify',
    '--keyshare-files',
    '["n1.ks#env:S1","s3.ks#env:S3"]',
    '-o',
    'json',
  ]);
  expect(mixed.code).toBe(5);
}, 120_000);

test('a unit in maintenance fails alone, and the printed command finishes the job', async () => {
  await claim();
  const [, second] = server.units;
  if (!second) throw new Error('there is no second unit');
  second.maintenance = true;
  const first = await run(addKmsUser);
  expect(first.code).toBe(3);
  expect(first.stdout).toContain(`against CryptoUnit with ID ${second.id}\nFAILED`);
  expect(first.stderr).toContain(`CryptoUnit ${second.id}: cannot user.add a unit that is maintenance`);
  expect(nextOf(first)).toBe(
    `kp crypto-unit user add --type kmsCryptoUser --cu '[{"CryptoUnitId":"${second.id}","Auth":[{"ADMIN":"admin.key#env:ADMIN_PASS"}]}]'`,
  );
  second.maintenance = false;
  expect(await runLine(nextOf(first))).toMatchObject({ code: 0 });
  expect(server.units.map(({ state }) => state)).toEqual(['kms-authorized', 'kms-authorized', 'kms-authorized']);
});

test('a claim that fails on one unit is retried with --ids', async () => {
  const [first] = server.units;
  if (!first) throw new Error('there is no unit');
  first.maintenance = true;
  const ran = await claim();
  expect(ran.code).toBe(3);
  expect(nextOf(ran)).toBe(`kp crypto-unit claim --credential admin.key --ids ${first.id}`);
  first.maintenance = false;
  expect((await runLine(nextOf(ran))).code).toBe(0);
});

test('a refusal that every unit signed is the exit code of the command', async () => {
  await claim();
  for (const unit of server.units) unit.refusal = { code: 'UNIT_FAULT', message: 'the token is sick' };
  const ran = await run([...addKmsUser, '-o', 'json']);
  expect(ran.code).toBe(1);
  expect(errorOf(ran).error).toMatchObject({ code: 'UNIT_FAULT', message: 'the token is sick' });
  expect(JSON.parse(ran.stdout)).toMatchObject({
    units: [{ outcome: 'failed' }, { outcome: 'failed' }, { outcome: 'failed' }],
  });
});

test('without a known receipt key nothing is signed; the printed command, with the compared keys, goes on', async () => {
  await claim();
  const elsewhere = { env: { KP_HOME: join(home.path, 'another') } };
  const operations = server.seen.filter((call) => call === 'POST /api/v1/operations').length;
  const ran = await run([...addKmsUser, '-o', 'json'], elsewhere);
  expect(ran.code).toBe(5);
  expect(errorOf(ran).error.code).toBe('UNIT_KEY_UNKNOWN');
  for (const unit of server.units) expect(errorOf(ran).error.next).toContain(`--unit-key ${unit.fingerprint}`);
  expect(server.seen.filter((call) => call === 'POST /api/v1/operations')).toHaveLength(operations);
  const keys = server.units.flatMap((unit) => ['--unit-key', unit.fingerprint]);
  expect((await run([...addKmsUser, ...keys], elsewhere)).code).toBe(0);
});

test('a unit that shows another receipt key than before stops everything with exit code 5', async () => {
  await claim();
  server.units[1]?.changeKey();
  const ran = await run(addKmsUser);
  expect(ran.code).toBe(5);
  expect(ran.stderr).toContain('somebody may stand between you and the unit');
  expect(server.units.map(({ state }) => state)).toEqual(['claimed', 'claimed', 'claimed']);
  expect((await run(['crypto-unit', 'users'])).code).toBe(5);
});

test('a unit that was zeroized by others may have a new key, which must be compared again', async () => {
  await claim();
  const pinned = await readFile(join(home.path, 'kp', 'known-units.json'), 'utf8');
  const [first] = server.units;
  if (!first) throw new Error('there is no unit');
  const other = { env: { KP_HOME: join(home.path, 'another') } };
  const zeroize = ['crypto-unit', 'zeroize', '--id', first.id, '--auth', AUTH, '--unit-key', first.fingerprint];
  expect((await run(zeroize, other)).code).toBe(0);
  expect(await readFile(join(home.path, 'kp', 'known-units.json'), 'utf8')).toBe(pinned);
  expect((await run(['crypto-unit', 'claim', '--credential', 'admin.key', '--ids', first.id])).code).toBe(0);
});

test('a server that forges the outcome, swaps receipts or replays them is found out', async () => {
  await claim();
  const [a, b] = server.units;
  server.units = [a, b].flatMap((unit) => unit ?? []);
  let kept: unknown;
  const lies: readonly ((units: { receipt: string | null; outcome: string }[]) => void)[] = [
    (units) => units.map((unit) => Object.assign(unit, { receipt: null, outcome: 'ok' })),
    (units) => {
      const [first, second] = units;
      if (first && second) [first.receipt, second.receipt] = [second.receipt, first.receipt];
    },
    (units) => {
      kept ??= structuredClone(units);
      Object.assign(units, structuredClone(kept));
    },
  ];
  await run(['crypto-unit', 'user', 'remove', '-u', 'nobody', '--auth', AUTH]);
  for (const lie of lies) {
    server.lie = (call, answer) => {
      if (call === 'POST /api/v1/operations')
        lie((answer as { units: { receipt: string | null; outcome: string }[] }).units);
      return answer;
    };
    if (lie === lies[2]) await run(addKmsUser); // the receipts that will be replayed
    const ran = await run([...addKmsUser, '-o', 'json']);
    expect(ran.code).toBe(5);
    expect(errorOf(ran).error.code).toBe('RECEIPT_INVALID');
  }
});

test('a server that gives its own importer key learns nothing: no master key is encrypted to it', async () => {
  await claim();
  await run(['crypto-unit', 'mk', 'generate', '--keyshare-files', OLD, '--key-name', 'main', '--auth', AUTH]);
  const posted: number[] = [];
  server.lie = (call, answer) => {
    if (call !== 'POST /api/v1/operations') return answer;
    posted.push(1);
    const { units } = answer as { units: { receipt: string }[] };
    for (const unit of units) {
      const [header, body = '', signature] = unit.receipt.split('.');
      const receipt = JSON.parse(Buffer.from(body, 'base64url').toString()) as { facts: Record<string, string> };
      receipt.facts['publicKey'] = 'AAAA';
      unit.receipt = [header, Buffer.from(JSON.stringify(receipt)).toString('base64url'), signature].join('.');
    }
    return answer;
  };
  const ran = await run([
    'crypto-unit',
    'mk',
    'import',
    '--keyshare-files',
    '["s1.ks#env:S1","s2.ks#env:S2"]',
    '--auth',
    AUTH,
    '-o',
    'json',
  ]);
  expect(ran.code).toBe(5);
  expect(errorOf(ran).error.code).toBe('RECEIPT_INVALID');
  expect(posted).toHaveLength(1);
}, 120_000);

test('different signers for different units make one plan', async () => {
  await run(['crypto-unit', 'sig-key', 'generate', '--file', 'bob.key', '--passphrase', 'env:ADMIN_PASS']);
  await claim();
  const [a, b, c] = server.units.map(({ id }) => id);
  expect(
    (
      await run([
        'crypto-unit',
        'user',
        'add',
        '--type',
        'admin',
        '--name',
        'bob',
        '--credential',
        'bob.key',
        '--auth',
        AUTH,
      ])
    ).code,
  ).toBe(0);
  const signer = (id: string | undefined, ...files: string[]) => ({
    CryptoUnitId: id,
    Auth: files.map((file) => ({ ADMIN: `${file}#env:ADMIN_PASS` })),
  });
  const cu = JSON.stringify([signer(a, 'admin.key'), signer(b, 'bob.key', 'admin.key'), signer(c, 'admin.key')]);
  const ran = await run(['crypto-unit', 'user', 'add', '--type', 'kmsCryptoUser', '--cu', cu, '-o', 'json']);
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  const shown = await run(['operation', 'show', (JSON.parse(ran.stdout) as { plan: string }).plan, '-o', 'json']);
  expect((JSON.parse(shown.stdout) as { units: unknown[] }).units).toHaveLength(3);
});

test('a literal passphrase is never printed again', async () => {
  await claim();
  const [first] = server.units;
  if (first) first.maintenance = true;
  const auth = `[{"ADMIN":"admin.key#${PASS}"}]`;
  const ran = await run(['crypto-unit', 'user', 'add', '--type', 'kmsCryptoUser', '--auth', auth]);
  expect(ran.code).toBe(3);
  expect(ran.stderr.match(/Warning: a passphrase on the command line/g)).toHaveLength(1);
  expect(ran.stdout + ran.stderr).not.toContain(PASS);
  expect(nextOf(ran)).toContain('"Auth":[{"ADMIN":"admin.key"}]');
});

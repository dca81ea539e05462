import { ADD_KMS_USER, AUTH, errorOf, KEYSHARES, nextOf, PASS, SignedWorld } from './signed-world.js';

let world: SignedWorld;
beforeEach(async () => {
  world = await SignedWorld.start();
});
afterEach(() => world.stop());

test('the initialisation of the seed works from claim to kms-initialized, and back to reserved', async () => {
  const claimed = await world.claim();
  expect(claimed).toMatchObject({ code: 0, stderr: '' });
  for (const unit of world.server.units) {
    expect(claimed.stdout).toContain(`Executing operation Claim against CryptoUnit with ID ${unit.id}\nOK\n`);
    expect(claimed.stdout).toContain(`Receipt key of ${unit.id}: ${unit.fingerprint}`);
  }
  const generated = await world.run([
    'crypto-unit',
    'mk',
    'generate',
    '--keyshare-files',
    KEYSHARES,
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

  const imported = await world.run([
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
    `Executing operation Import Master Key against CryptoUnit with ID ${world.server.units[2]?.id}\nOK`,
  );
  for (const unit of world.server.units) expect(unit.masterKey).toMatchObject({ mkvp, name: 'main' });

  const added = await world.run(ADD_KMS_USER);
  expect(added).toMatchObject({ code: 0, stderr: '' });
  const listed = JSON.parse((await world.run(['crypto-unit', 'mk', 'list', '-o', 'json'])).stdout) as unknown[];
  expect(listed).toHaveLength(3);
  expect(listed[0]).toMatchObject({ receiptKeyKnown: true, state: 'kms-initialized', masterKey: { mkvp } });
  const users = await world.run(['crypto-unit', 'users']);
  expect(users.stdout).toMatch(/^ADMIN +22000000 +RSA sign +Z\[0\] +[0-9a-f]{64}$/m);

  const removed = await world.run(['instance', 'delete', 'payments', '--auth', AUTH, '--yes']);
  expect(removed).toMatchObject({ code: 0 });
  expect(world.server.units.map(({ state }) => state)).toEqual(['reserved', 'reserved', 'reserved']);
  expect(world.server.seen.at(-1)).toBe(`DELETE /api/v1/instances/${world.server.instance.id}`);
}, 120_000);

test('reshare makes a new set with the same check value, and verify says so offline', async () => {
  await world.claim();
  const generate = [
    'crypto-unit',
    'mk',
    'generate',
    '--keyshare-files',
    KEYSHARES,
    '--key-name',
    'main',
    '--auth',
    AUTH,
    '-o',
    'json',
  ];
  const old = JSON.parse((await world.run(generate)).stdout) as { mkvp: string; mkId: string; setId: string };
  const calls = world.server.seen.length;
  const reshared = await world.run([
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
  const verified = await world.run([
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
  expect(world.server.seen).toHaveLength(calls);
  const mixed = await world.run([
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
  await world.claim();
  const [, second] = world.server.units;
  if (!second) throw new Error('there is no second unit');
  second.maintenance = true;
  const first = await world.run(ADD_KMS_USER);
  expect(first.code).toBe(3);
  expect(first.stdout).toContain(`against CryptoUnit with ID ${second.id}\nFAILED`);
  expect(first.stderr).toContain(`CryptoUnit ${second.id}: cannot user.add a unit that is maintenance`);
  expect(nextOf(first)).toBe(
    `kp crypto-unit user add --type kmsCryptoUser --cu '[{"CryptoUnitId":"${second.id}","Auth":[{"ADMIN":"admin.key#env:ADMIN_PASS"}]}]'`,
  );
  second.maintenance = false;
  expect(await world.runLine(nextOf(first))).toMatchObject({ code: 0 });
  expect(world.server.units.map(({ state }) => state)).toEqual(['kms-authorized', 'kms-authorized', 'kms-authorized']);
});

test('a claim that fails on one unit is retried with --ids', async () => {
  const [first] = world.server.units;
  if (!first) throw new Error('there is no unit');
  first.maintenance = true;
  const ran = await world.claim();
  expect(ran.code).toBe(3);
  expect(nextOf(ran)).toBe(`kp crypto-unit claim --credential admin.key --ids ${first.id}`);
  first.maintenance = false;
  expect((await world.runLine(nextOf(ran))).code).toBe(0);
});

test('a refusal that every unit signed is the exit code of the command', async () => {
  await world.claim();
  for (const unit of world.server.units) unit.refusal = { code: 'UNIT_FAULT', message: 'the token is sick' };
  const ran = await world.run([...ADD_KMS_USER, '-o', 'json']);
  expect(ran.code).toBe(1);
  expect(errorOf(ran).error).toMatchObject({ code: 'UNIT_FAULT', message: 'the token is sick' });
  expect(JSON.parse(ran.stdout)).toMatchObject({
    units: [{ outcome: 'failed' }, { outcome: 'failed' }, { outcome: 'failed' }],
  });
});

test('different signers for different units make one plan', async () => {
  await world.run(['crypto-unit', 'sig-key', 'generate', '--file', 'bob.key', '--passphrase', 'env:ADMIN_PASS']);
  await world.claim();
  const [a, b, c] = world.server.units.map(({ id }) => id);
  expect(
    (
      await world.run([
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
  const ran = await world.run(['crypto-unit', 'user', 'add', '--type', 'kmsCryptoUser', '--cu', cu, '-o', 'json']);
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  const shown = await world.run(['operation', 'show', (JSON.parse(ran.stdout) as { plan: string }).plan, '-o', 'json']);
  expect((JSON.parse(shown.stdout) as { units: unknown[] }).units).toHaveLength(3);
});

test('a literal passphrase is never printed again', async () => {
  await world.claim();
  const [first] = world.server.units;
  if (first) first.maintenance = true;
  const auth = `[{"ADMIN":"admin.key#${PASS}"}]`;
  const ran = await world.run(['crypto-unit', 'user', 'add', '--type', 'kmsCryptoUser', '--auth', auth]);
  expect(ran.code).toBe(3);
  expect(ran.stderr.match(/Warning: a passphrase on the command line/g)).toHaveLength(1);
  expect(ran.stdout + ran.stderr).not.toContain(PASS);
  expect(nextOf(ran)).toContain('"Auth":[{"ADMIN":"admin.key"}]');
});

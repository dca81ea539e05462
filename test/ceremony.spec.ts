import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './processes.js';
import { until } from './until.js';
import { World } from './world.js';

/** The commands of the Dedicated initialisation, typed with `kp`, and what they print. */
let world: World;
beforeAll(async () => {
  world = await World.start();
}, 60_000);
afterAll(() => world.end());

const unitLines = (operation: string, ids: readonly string[], verdict = 'OK') =>
  ids.map((id) => `Executing operation ${operation} against CryptoUnit with ID ${id}\n${verdict}`).join('\n');
const ids = async () => (await world.units()).map((unit) => unit.id);

describe('provisioning', () => {
  it.each(['1', '4', 'two'])('refuses %s crypto units: only 2 or 3 are possible', async (count) => {
    const { code, stderr } = await world.kp('instance', 'create', 'WRONG', '--crypto-units', count);
    expect(code).toBe(2);
    expect(stderr).toMatch(/2 or 3/);
    expect(JSON.parse((await world.kp('instance', 'list', '-o', 'json')).stdout)).toEqual([]);
  });

  it('makes three reserved units, each in a zone of its own, and gives endpoint and GUID', async () => {
    const { code, stdout, stderr } = await world.kp('instance', 'create', 'DEMO', '--crypto-units', '3', '-o', 'json');
    expect([code, stderr]).toEqual([0, '']);
    const made = JSON.parse(stdout);
    expect(made).toMatchObject({ name: 'DEMO', state: 'active', guid: made.id });
    expect(made.extensions.endpoints.public).toBe(world.url);
    expect(made.crypto_units.map((unit: { state: string }) => unit.state)).toEqual([
      'reserved',
      'reserved',
      'reserved',
    ]);
    world.instance = made.id;
  });

  it('refuses a second instance of the same name', async () => {
    const { code, stderr } = await world.kp('instance', 'create', 'DEMO');
    expect(code).toBe(1);
    expect(stderr).toContain('an instance named DEMO exists already');
  });

  it("prints IBM's table", async () => {
    const { stdout } = await world.kp('crypto-units');
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^\*{55}$/);
    expect(lines[1]).toMatch(/^Id {37}InstanceID {29}State$/);
    expect(lines.slice(2, -1)).toEqual((await ids()).map((id) => `${id}   ${world.instance}   reserved`));
    expect(lines.at(-1)).toBe(lines[0]);
  });

  it('shows the capabilities that were found by known answers', async () => {
    const [id] = await ids();
    const shown = JSON.parse((await world.kp('crypto-unit', 'show', id ?? '', '-o', 'json')).stdout);
    expect(shown.capabilities).toMatchObject({ missing: [], aesKw: true, hmacSha256: true, dataObjects: true });
  });
});

describe('admin credentials', () => {
  it('are made with mode 0600, encrypted, readable by openssl, and never overwritten', async () => {
    expect((await world.makeAdmin()).code).toBe(0);
    const file = join(world.files, 'admin.key');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const pass = `pass:${world.kpEnv()['ADMIN_PASSPHRASE']}`;
    expect((await run('openssl', ['rsa', '-in', file, '-passin', pass, '-noout', '-check'])).stdout).toContain(
      'RSA key ok',
    );
    const before = readFileSync(file, 'utf8');
    expect((await world.makeAdmin()).code).not.toBe(0);
    expect(readFileSync(file, 'utf8')).toBe(before);
  });
});

describe('before the claim', () => {
  it('no signed command is possible, and the refusal names the claim', async () => {
    const { code, stderr } = await world.addKmsUser();
    expect(code).toBe(1);
    expect(stderr).toContain('kp crypto-unit claim');
  });
});

describe('claim', () => {
  it('takes the units named by --ids, then the rest; every unit prints its fingerprint', async () => {
    const [first, second, third] = (await ids()) as [string, string, string];
    const one = await world.kp('crypto-unit', 'claim', '--credential', 'admin.key', '--ids', first);
    expect(one.stdout).toContain(unitLines('Claim', [first]));
    expect(await world.states()).toEqual(['claimed', 'reserved', 'reserved']);
    const rest = await world.kp('crypto-unit', 'claim', '--credential', 'admin.key', '--ids', `${second},${third}`);
    expect([rest.code, rest.stdout]).toEqual([0, expect.stringContaining(unitLines('Claim', [second, third]))]);
    expect(rest.stdout).toMatch(new RegExp(`Receipt key of ${third}: [0-9a-f]{64}`));
    expect(await world.states()).toEqual(['claimed', 'claimed', 'claimed']);
  });

  it('is logged by the agent with the fingerprint that kp remembers', async () => {
    const known = readFileSync(join(world.dir, 'kp', 'known-units.json'), 'utf8');
    for (const id of await ids()) {
      const { body } = await world.api('GET', `/api/v1/cryptounits/${id}`);
      expect(known).toContain(body.receiptKey.fingerprint);
      expect(world.log).toContain(body.receiptKey.fingerprint);
    }
  });

  it('with the same credential again changes nothing and is OK', async () => {
    const again = await world.claim();
    expect([again.code, again.stderr]).toEqual([0, '']);
  });

  it('refuses another credential than that of the siblings', async () => {
    await world.kp('crypto-unit', 'sig-key', 'generate', '--file', 'mallory.key', '--algo', 'RSA-2048');
    const { code, stderr } = await world.kp('crypto-unit', 'claim', '--credential', 'mallory.key');
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/claim/);
    const { body } = await world.api('GET', `/api/v1/cryptounits/${(await ids())[0]}`);
    expect(body.record.admins).toHaveLength(1);
  });
});

describe('master key', () => {
  it('is generated by one unit into share files of mode 0600', async () => {
    const { code, stdout, stderr } = await world.generate();
    expect([code, stderr]).toEqual([0, expect.any(String)]);
    expect(stdout).toContain('Executing operation Generate Master Key against CryptoUnit with ID');
    for (const n of [1, 2, 3]) expect(statSync(join(world.files, `share-${n}.key`)).mode & 0o777).toBe(0o600);
    expect(await world.states()).toEqual(['claimed', 'claimed', 'claimed']);
  });

  it('can be verified without any server', async () => {
    const { code, stdout } = await world.kpWith(
      { KP_TARGET_ADDR: 'http://127.0.0.1:1' },
      'crypto-unit',
      'mk',
      'verify',
      '--keyshare-files',
      world.shares,
    );
    expect([code, stdout]).toEqual([0, expect.stringContaining('share-2.key')]);
  });

  it('is not imported with fewer shares than the minimum, and no unit hears of it', async () => {
    const one = await world.kp(
      'crypto-unit',
      'mk',
      'import',
      '--keyshare-files',
      '["share-1.key#env:SHARE_1"]',
      '--auth',
      world.auth,
    );
    expect(one.code).not.toBe(0);
    expect(await world.states()).toEqual(['claimed', 'claimed', 'claimed']);
  });

  it('is imported into every unit with the minimum of shares', async () => {
    const { code, stdout } = await world.importKey();
    expect([code, stdout]).toEqual([0, expect.stringContaining(unitLines('Import Master Key', await ids()))]);
    expect(await world.states()).toEqual(['initialized', 'initialized', 'initialized']);
  });

  it('has the same check value in every unit', async () => {
    const { stdout } = await world.kp('crypto-unit', 'mk', 'list', '-o', 'json');
    const values = new Set(stdout.match(/"mkvp": ?"[0-9a-f]{32}"/g));
    expect(values.size).toBe(1);
    expect((await world.kp('crypto-unit', 'master-keys')).stdout).toMatch(/MK +32 +AES +SHARE +2 +3/);
  });

  it('is refused when it is another one: exit 5, and nothing changes', async () => {
    const other = '["other-1.key#env:SHARE_1","other-2.key#env:SHARE_2"]';
    const made = await world.kp(
      'crypto-unit',
      'mk',
      'generate',
      '--keyshare-files',
      other,
      '--keyshare-minimum',
      '2',
      '--algo',
      'AES-256',
      '--key-name',
      'OTHER',
      '--auth',
      world.auth,
    );
    expect(made.code).toBe(0);
    const { code } = await world.kp('crypto-unit', 'mk', 'import', '--keyshare-files', other, '--auth', world.auth);
    expect(code).toBe(5);
    expect(await world.states()).toEqual(['initialized', 'initialized', 'initialized']);
  });
});

describe('the data plane', () => {
  it("answers IBM's 503 while no unit is kms-initialized", async () => {
    const { status, text } = await world.api('GET', '/api/v2/keys', undefined, { 'bluemix-instance': world.instance });
    expect(status).toBe(503);
    expect(text).toContain('no healthy upstream: no crypto units are in kms-initialized state at this time');
  });
});

describe('users', () => {
  it('the kmsCryptoUser completes the initialisation', async () => {
    const { code, stdout } = await world.addKmsUser();
    expect([code, stdout]).toEqual([0, expect.stringContaining(unitLines('Add User', await ids()))]);
    expect(await world.states()).toEqual(['kms-initialized', 'kms-initialized', 'kms-initialized']);
    await until(async () => (await world.api('GET', '/readyz')).status === 200, 5_000);
  });

  it('a second admin can sign then, and the first can go, but never the last', async () => {
    await world.kp('crypto-unit', 'sig-key', 'generate', '--file', 'deputy.key', '--algo', 'RSA-2048');
    const add = ['crypto-unit', 'user', 'add', '--type', 'admin', '--name', 'DEPUTY', '--credential', 'deputy.key'];
    expect((await world.kp(...add, '--auth', world.auth)).code).toBe(0);
    const deputy = '[{"DEPUTY":"deputy.key"}]';
    expect((await world.kp('crypto-unit', 'user', 'remove', '--user', 'ADMIN', '--auth', deputy)).code).toBe(0);
    const last = await world.kp('crypto-unit', 'user', 'remove', '--user', 'DEPUTY', '--auth', deputy);
    expect(last.code).toBe(1);
    expect(last.stderr).toContain('last');
    const back = ['crypto-unit', 'user', 'add', '--type', 'admin', '--name', 'ADMIN', '--credential', 'admin.key'];
    expect((await world.kp(...back, '--auth', deputy)).code).toBe(0);
    expect((await world.kp('crypto-unit', 'user', 'remove', '--user', 'DEPUTY', '--auth', world.auth)).code).toBe(0);
  });

  it('are listed with their permissions', async () => {
    const { stdout } = await world.kp('crypto-unit', 'users');
    expect(stdout).toMatch(/ADMIN\s+22000000/);
    expect(stdout).toMatch(/-kp-user\s+00000002/);
  });
});

describe('keys', () => {
  it('made in one unit, used in a second, opened in a third', async () => {
    const key = JSON.parse((await world.kp('key', 'create', 'root', '-o', 'json')).stdout);
    const plaintext = Buffer.alloc(32, 7).toString('base64');
    const seen = new Set<string>();
    for (let turn = 0; turn < 3; turn += 1) {
      const wrapped = JSON.parse(
        (await world.kp('key', 'wrap', key.id, '-p', plaintext, '--aad', 'a,b', '-o', 'json')).stdout,
      );
      const opened = JSON.parse(
        (await world.kp('key', 'unwrap', key.id, '-c', wrapped.Ciphertext, '--aad', 'a,b', '-o', 'json')).stdout,
      );
      expect(opened.Plaintext).toBe(plaintext);
      if (turn === 0)
        expect((await world.kp('key', 'unwrap', key.id, '-c', wrapped.Ciphertext, '--aad', 'ab')).code).toBe(1);
    }
    const lines = JSON.parse((await world.kp('audit', 'list', '--limit', '50', '-o', 'json')).stdout);
    for (const line of lines) if (/^kms\.secrets\./.test(line.act) && line.outcome === 'success') seen.add(line.unitId);
    expect(seen.size).toBe(3);
  });
});

describe('user remove of the kmsCryptoUser', () => {
  it('cuts the service off at once', async () => {
    const { user_name } = (
      await world.api('GET', '/api/v1/cryptouser/metadata', undefined, { 'instance-id': world.instance })
    ).body;
    expect((await world.kp('crypto-unit', 'user', 'remove', '-u', user_name, '--auth', world.auth)).code).toBe(0);
    expect(await world.states()).toEqual(['initialized', 'initialized', 'initialized']);
    expect((await world.api('GET', '/readyz')).status).toBe(503);
    expect((await world.kp('key', 'create', 'late')).code).not.toBe(0);
    expect((await world.addKmsUser()).code).toBe(0);
  });
});

describe('maintenance', () => {
  it('holds one unit of the instance at most', async () => {
    const [first, second] = (await ids()) as [string, string];
    expect((await world.kp('crypto-unit', 'maintenance', first, '--on')).code).toBe(0);
    expect(await world.states()).toEqual(['maintenance', 'kms-initialized', 'kms-initialized']);
    const other = await world.kp('crypto-unit', 'maintenance', second, '--on');
    expect([other.code, other.stderr]).toEqual([1, expect.stringContaining(`maintenance ${first} --off`)]);
    expect((await world.kp('crypto-unit', 'maintenance', first, '--off')).code).toBe(0);
    expect(await world.states()).toEqual(['kms-initialized', 'kms-initialized', 'kms-initialized']);
  });

  it('makes a command a partial failure, with the command that retries the rest', async () => {
    const [first, second, third] = (await ids()) as [string, string, string];
    await world.kp('crypto-unit', 'maintenance', second, '--on');
    await world.kp('crypto-unit', 'sig-key', 'generate', '--file', 'auditor.key', '--algo', 'RSA-2048');
    const add = ['crypto-unit', 'user', 'add', '--type', 'admin', '--name', 'AUDITOR', '--credential', 'auditor.key'];
    const { code, stdout, stderr } = await world.kp(...add, '--auth', world.auth);
    expect(code).toBe(3);
    expect(stdout).toContain(unitLines('Add User', [first]));
    expect(stdout).toContain(unitLines('Add User', [second], 'FAILED'));
    expect(stdout).toContain(unitLines('Add User', [third]));
    await world.kp('crypto-unit', 'maintenance', second, '--off');
    const retry = /kp crypto-unit user add .*/.exec(stdout + stderr)?.[0] ?? '';
    expect(retry).toContain(second);
    expect(retry).not.toContain(first);
    const retried = await world.shell(retry);
    expect([retried.code, retried.stdout]).toEqual([0, unitLines('Add User', [second]).concat('\n')]);
  });
});

describe('zeroize', () => {
  it('without a signature is refused with the signed command', async () => {
    const [id] = await ids();
    const { status, text } = await world.api('POST', `/api/v1/crypto_units/${id}/zeroize`);
    expect(status).toBe(403);
    expect(text).toContain(`kp crypto-unit zeroize --id ${id}`);
  });

  it('brings a unit back to reserved with nothing on its token, and the others serve on', async () => {
    const [id] = (await ids()) as [string];
    const { code, stderr } = await world.kp('crypto-unit', 'zeroize', '--id', id, '--auth', world.auth);
    expect([code, stderr]).toEqual([0, expect.any(String)]);
    expect(await world.states()).toEqual(['reserved', 'kms-initialized', 'kms-initialized']);
    expect((await world.api('GET', `/api/v1/cryptounits/${id}`)).body.objects).toBe(0);
    expect((await world.api('GET', '/readyz')).status).toBe(200);
  });

  it('of the last serving unit is refused while there are keys, unless forced', async () => {
    const [, second, third] = (await ids()) as [string, string, string];
    expect((await world.kp('crypto-unit', 'zeroize', '--id', second, '--auth', world.auth)).code).toBe(0);
    const refused = await world.kp('crypto-unit', 'zeroize', '--id', third, '--auth', world.auth);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('--force')]);
    expect(await world.states()).toEqual(['reserved', 'reserved', 'kms-initialized']);
    expect((await world.kp('crypto-unit', 'zeroize', '--id', third, '--auth', world.auth, '--force')).code).toBe(0);
    expect(await world.states()).toEqual(['reserved', 'reserved', 'reserved']);
  });
});

describe('the end of an instance', () => {
  it('keeps the shares good: claimed and imported again, the old keys open', async () => {
    expect((await world.claim()).code).toBe(0);
    expect((await world.importKey()).code).toBe(0);
    expect((await world.addKmsUser()).code).toBe(0);
    expect(await world.states()).toEqual(['kms-initialized', 'kms-initialized', 'kms-initialized']);
  });

  it('zeroizes its units and asks first', async () => {
    const refused = await world.kp('instance', 'delete', 'DEMO', '--auth', world.auth);
    expect(refused.code).not.toBe(0);
    const { code, stderr } = await world.kp('instance', 'delete', 'DEMO', '--auth', world.auth, '--force', '--yes');
    expect([code, stderr]).toEqual([0, expect.any(String)]);
    expect(JSON.parse((await world.kp('instance', 'list', '-o', 'json')).stdout)).toEqual([]);
  });
});

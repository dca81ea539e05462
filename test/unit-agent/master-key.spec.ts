import { randomBytes } from 'node:crypto';
import type { AdminClient } from '../../src/unit-agent/client.js';
import type { KeyRowFields } from '../../src/unit-agent/protocol.js';
import { AgentWorld, rsaKey } from './agent-world.js';
import { Ceremony } from './ceremony.js';

const world = new AgentWorld();
const ceremony = new Ceremony(world);
let admin: AdminClient;
beforeAll(async () => {
  await world.start();
  admin = await world.admin();
  await ceremony.claim(admin);
});
afterAll(() => world.end());

const refused = (code: string) => expect.objectContaining({ code });
const row: KeyRowFields = {
  instance: world.instance,
  key: 'key-1',
  version: '1',
  algorithm: 'AES-256',
  state: 'active',
  policy: '{}',
};

describe('the import of a master key', () => {
  const attempt = async (change: (args: Record<string, unknown>) => object, masterKey = ceremony.masterKey) => {
    const made = await ceremony.command(admin, 'mk.importer', {});
    const args = ceremony.importArgs(made, masterKey) as Record<string, unknown>;
    return ceremony.command(admin, 'mk.import', { ...args, ...change(args) });
  };

  it.each([
    [
      'with another check answer',
      'MASTER_KEY_MISMATCH',
      (a: Record<string, unknown>) => ({ check: { ...(a['check'] as object), answer: '00'.repeat(32) } }),
    ],
    [
      'with another check blob',
      'MASTER_KEY_MISMATCH',
      (a: Record<string, unknown>) => ({
        check: { ...(a['check'] as object), blob: randomBytes(40).toString('base64') },
      }),
    ],
    ['with another MKVP', 'MASTER_KEY_MISMATCH', () => ({ mkvp: '00'.repeat(16) })],
    [
      'for another unit only',
      'COMMAND_TARGET',
      (a: Record<string, unknown>) => ({ units: { other: (a['units'] as Record<string, unknown>)[world.unit] } }),
    ],
    [
      'with a blob of noise',
      'MASTER_KEY_INVALID',
      (a: Record<string, unknown>) => ({
        units: {
          [world.unit]: {
            ...(a['units'] as Record<string, object>)[world.unit],
            mac: randomBytes(384).toString('base64'),
          },
        },
      }),
    ],
    [
      'for an importer of before',
      'IMPORTER_INVALID',
      (a: Record<string, unknown>) => ({
        units: { [world.unit]: { ...(a['units'] as Record<string, object>)[world.unit], importer: '00'.repeat(32) } },
      }),
    ],
  ] as const)('%s is refused with %s and leaves no object', async (_what, code, change) => {
    const before = await ceremony.facts(admin);
    expect(await attempt(change)).toMatchObject({ outcome: 'refused', error: { code } });
    const after = await ceremony.facts(admin);
    expect(after.record?.masterKey).toBeNull();
    expect(after.objects).toBeLessThanOrEqual(before.objects + 1); // the second of two records
  });

  it('of another key than the signed check values say is refused', async () => {
    expect(await attempt(() => ({}), randomBytes(32))).toMatchObject({ error: { code: 'MASTER_KEY_MISMATCH' } });
  });

  it('takes an importer once', async () => {
    const made = await ceremony.command(admin, 'mk.importer', {});
    const args = ceremony.importArgs(made);
    const bad = { ...args, mkvp: '11'.repeat(16) };
    expect(await ceremony.command(admin, 'mk.import', bad)).toMatchObject({ error: { code: 'MASTER_KEY_MISMATCH' } });
    expect(await ceremony.command(admin, 'mk.import', args)).toMatchObject({ error: { code: 'IMPORTER_INVALID' } });
  });

  it('takes no importer from before a restart', async () => {
    const made = await ceremony.command(admin, 'mk.importer', {});
    await world.stop();
    await world.start();
    admin = await world.admin();
    const receipt = await ceremony.command(admin, 'mk.import', ceremony.importArgs(made));
    expect(receipt).toMatchObject({ error: { code: 'IMPORTER_INVALID' } });
  });

  it('makes the unit initialized; the same key again changes nothing; another is refused', async () => {
    expect(await ceremony.importMasterKey(admin)).toMatchObject({ outcome: 'ok' });
    const before = await ceremony.facts(admin);
    expect(before).toMatchObject({ masterKeyMatches: true });
    expect(await ceremony.importMasterKey(admin)).toMatchObject({ outcome: 'ok' });
    const other = new Ceremony(world);
    const made = await ceremony.command(admin, 'mk.importer', {});
    const receipt = await ceremony.command(admin, 'mk.import', other.importArgs(made));
    expect(receipt).toMatchObject({ outcome: 'refused', error: { code: 'MASTER_KEY_MISMATCH' } });
    const after = await ceremony.facts(admin);
    expect(after).toMatchObject({ objects: before.objects, masterKeyMatches: true });
    expect(after.record?.masterKey).toEqual(before.record?.masterKey);
  });
});

describe('the crypto set', () => {
  it('serves nobody before the kmsCryptoUser is enrolled', async () => {
    await expect(world.crypto(ceremony.kmsUser)).rejects.toEqual(refused('KMS_USER_REFUSED'));
    const connection = await world.connect();
    for (const op of ['random', 'generateRootKey', 'encrypt', 'decrypt'] as const) {
      await expect(connection.request(op, Buffer.alloc(4))).rejects.toEqual(refused('KMS_USER_REFUSED'));
    }
  });

  it('serves the enrolled kmsCryptoUser and no other', async () => {
    expect(await ceremony.addKmsUser(admin)).toMatchObject({ outcome: 'ok' });
    await expect(world.crypto(rsaKey())).rejects.toEqual(refused('KMS_USER_REFUSED'));
    expect(await (await world.crypto(ceremony.kmsUser)).random(32)).toHaveLength(32);
  });

  it('a challenge is answered once', async () => {
    const connection = await world.connect();
    await expect(connection.request('prove', Buffer.alloc(256))).rejects.toEqual(refused('KMS_USER_REFUSED'));
    await connection.request('challenge', Buffer.alloc(0));
    await expect(connection.request('prove', Buffer.alloc(256))).rejects.toEqual(refused('KMS_USER_REFUSED'));
  });

  it('uses a blob only under the row that was made for it', async () => {
    const crypto = await world.crypto(ceremony.kmsUser);
    const { blob, mac } = await crypto.generateRootKey(row);
    const [aad, data] = [Buffer.from('aad'), Buffer.from('data')];
    const sealed = await crypto.encrypt(row, blob, mac, aad, data);
    for (const name of Object.keys(row) as (keyof KeyRowFields)[]) {
      const changed = { ...row, [name]: `${row[name]}2` };
      await expect(crypto.encrypt(changed, blob, mac, aad, data)).rejects.toEqual(refused('KEY_ROW_INVALID'));
      await expect(crypto.decrypt(changed, blob, mac, aad, sealed)).rejects.toEqual(refused('KEY_ROW_INVALID'));
    }
    const other = await crypto.generateRootKey(row);
    await expect(crypto.decrypt(row, other.blob, mac, aad, sealed)).rejects.toEqual(refused('KEY_ROW_INVALID'));
    await expect(crypto.decrypt(row, other.blob, other.mac, aad, sealed)).rejects.toEqual(
      refused('CIPHERTEXT_INVALID'),
    );
    await expect(crypto.decrypt(row, blob, mac, Buffer.from('aae'), sealed)).rejects.toEqual(
      refused('CIPHERTEXT_INVALID'),
    );
  });

  it('makes no key for another instance', async () => {
    const crypto = await world.crypto(ceremony.kmsUser);
    await expect(crypto.generateRootKey({ ...row, instance: 'x' })).rejects.toEqual(refused('KEY_ROW_INVALID'));
  });

  it('bad ciphertexts among good ones cost the unit nothing', async () => {
    const crypto = await world.crypto(ceremony.kmsUser);
    const { blob, mac } = await crypto.generateRootKey(row);
    const aad = Buffer.from('aad');
    const sealed = await crypto.encrypt(row, blob, mac, aad, Buffer.from('data'));
    const outcomes = await Promise.allSettled(
      Array.from({ length: 400 }, (_, i) => crypto.decrypt(row, blob, mac, aad, i % 2 ? randomBytes(40) : sealed)),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(200);
    expect((await admin.probe()).facts.token.problem).toBeNull();
  });

  it('is over at once for a kmsCryptoUser who is removed', async () => {
    const crypto = await world.crypto(ceremony.kmsUser);
    let cut = false;
    void crypto.connection.closed.then(() => {
      cut = true;
    });
    expect(await ceremony.command(admin, 'user.remove', { name: 'kms' })).toMatchObject({ outcome: 'ok' });
    await crypto.connection.closed;
    expect(cut).toBe(true);
    await expect(crypto.random(8)).rejects.toEqual(refused('UNIT_UNREACHABLE'));
    await expect(world.crypto(ceremony.kmsUser)).rejects.toEqual(refused('KMS_USER_REFUSED'));
  });
});

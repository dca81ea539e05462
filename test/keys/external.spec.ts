import { createPublicKey, generateKeyPairSync, randomBytes, verify } from 'node:crypto';
import { DecryptData } from '../../src/keys/decrypt-data.command.js';
import { DeleteKeyMaterial } from '../../src/keys/delete-key-material.command.js';
import { EncryptData } from '../../src/keys/encrypt-data.command.js';
import { GetKeyMetadata } from '../../src/keys/get-key.query.js';
import { GetPublicKey } from '../../src/keys/get-public-key.query.js';
import { GetImportParameters } from '../../src/keys/import-parameters.command.js';
import type { KeyAlgorithm } from '../../src/keys/key-kinds.js';
import { SignDigest, VerifyDigest } from '../../src/keys/sign-digest.command.js';
import { DisableKey } from '../../src/keys/switch-key.command.js';
import { sha256 } from '../../src/shared/bytes.js';
import type { SigningAlgorithm } from '../../src/unit-agent/protocol.js';
import { refusalOf } from './key-world.js';
import { encryptTo, MANAGER, Model, wrapPrivateKey } from './model.js';

/** Keys whose material their owner brings, on real units. */
let model: Model;
beforeAll(async () => {
  model = await Model.start({ KEYSTEAD_TIMER_DUE_KEYS_MS: '200', KEYSTEAD_LIMIT_KEYS: '0' });
}, 120_000);
afterAll(() => model?.end());

const context = { dialect: 'spec', context: ['a', 'b'] };
const encrypt = (id: string, text = 'secret') =>
  model.ask(new EncryptData(MANAGER, model.target(id), { ...context, plaintext: Buffer.from(text) }));
const decrypt = async (id: string, { sealed, versionId }: { sealed: Buffer; versionId: string }, more = {}) =>
  (
    await model.ask(new DecryptData(MANAGER, model.target(id), { ...context, sealed, versionId, ...more }))
  ).plaintext.toString();
const refuses = (code: string) => expect.objectContaining({ code });
const soon = (ms: number) => new Date(Date.now() + ms);

describe('an external key without material', () => {
  it('is pending, has an empty blob, and its row is MACed all the same', async () => {
    const key = await model.external();
    expect(key).toMatchObject({ state: 0, external: true, algorithm: 'AES-256', usage: 'ENCRYPT_DECRYPT', bits: 256 });
    expect(await model.blob(key.id)).toHaveLength(0);
    await model.at.db.query(`UPDATE "keys" SET "usage" = 'SIGN_VERIFY' WHERE "id" = $1`, [key.id]);
    await expect(model.import(key.id, randomBytes(32))).rejects.toEqual(refuses('KEY_ROW_INVALID'));
  });

  it('is seen by Key Protect in state 0, and wraps nothing', async () => {
    const { id } = await model.external();
    const { body } = await model.at.send('GET', `keys/${id}/metadata`);
    expect(body.resources[0]).toMatchObject({ id, state: 0, imported: true, algorithmBitSize: 256 });
    expect(refusalOf(await model.at.send('POST', `keys/${id}/actions/wrap`))).toEqual([
      409,
      'KEY_ACTION_INVALID_STATE_ERR',
    ]);
    await expect(encrypt(id)).rejects.toEqual(refuses('MATERIAL_ABSENT'));
  });
});

describe('an import', () => {
  it.each(['RSAES_PKCS1_V1_5', 'RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'] as const)(
    'by %s makes the key active',
    async (algorithm) => {
      const { id } = await model.external();
      expect(await model.import(id, randomBytes(32), { algorithm })).toMatchObject({
        id,
        state: 1,
        materialExpiresAt: null,
      });
      expect(await decrypt(id, await encrypt(id))).toBe('secret');
    },
  );

  it('is acknowledged after another unit worked with the key', async () => {
    const { id } = await model.imported();
    const { rows } = await model.at.db.query(
      `SELECT "unitId", "detail"::jsonb->>'provedOn' AS "provedOn" FROM "audit_lines" WHERE "act" = 'kms.key-material.import' AND "target" = $1`,
      [id],
    );
    expect(rows).toHaveLength(1);
    expect(rows[0].provedOn).toEqual(expect.any(String));
    expect(rows[0].unitId).toEqual(expect.any(String));
    expect((await model.ask(new GetKeyMetadata(MANAGER, model.target(id)))).state).toBe(1);
  });

  it('of the same material into two keys makes two keys: neither opens what the other sealed', async () => {
    const material = randomBytes(32);
    const [one, two] = [await model.imported(material), await model.imported(material)];
    const sealed = await encrypt(one.id);
    await expect(decrypt(two.id, { ...sealed, versionId: two.version?.id ?? '' })).rejects.toEqual(
      refuses('CIPHERTEXT_INVALID'),
    );
    await expect(decrypt(two.id, sealed)).rejects.toEqual(refuses('CIPHERTEXT_INVALID'));
    await expect(decrypt(one.id, sealed, { context: ['a', 'c'] })).rejects.toEqual(refuses('CIPHERTEXT_INVALID'));
    await expect(decrypt(one.id, sealed, { dialect: 'other' })).rejects.toEqual(refuses('CIPHERTEXT_INVALID'));
    expect(await decrypt(one.id, sealed)).toBe('secret');
  });

  it('of other material than the first is refused for ever: while it is there, after deletion, after expiry', async () => {
    const [material, other] = [randomBytes(32), randomBytes(32)];
    const { id } = await model.imported(material);
    const sealed = await encrypt(id);
    await expect(model.import(id, other)).rejects.toEqual(refuses('MATERIAL_MISMATCH'));
    await model.ask(new DeleteKeyMaterial(MANAGER, model.target(id)));
    await expect(model.import(id, other)).rejects.toEqual(refuses('MATERIAL_MISMATCH'));
    await model.import(id, material, { expiresAt: soon(1_000) });
    await model.at.untilRow(`SELECT 1 FROM "keys" WHERE "id" = $1 AND "state" = 0`, id);
    await expect(model.import(id, other)).rejects.toEqual(refuses('MATERIAL_MISMATCH'));
    await model.import(id, material);
    expect(await decrypt(id, sealed)).toBe('secret');
  });

  it('again while the key is disabled leaves it disabled, and clears or sets the expiry', async () => {
    const material = randomBytes(32);
    const { id } = await model.imported(material);
    await model.ask(new DisableKey(MANAGER, model.target(id)));
    const expiresAt = soon(3_600_000);
    expect(await model.import(id, material, { expiresAt })).toMatchObject({ state: 2, materialExpiresAt: expiresAt });
    expect(await model.import(id, material)).toMatchObject({ state: 2, materialExpiresAt: null });
    await expect(model.import(id, material, { onlyPending: true })).rejects.toEqual(refuses('KEY_STATE'));
  });

  it.each([
    ['16 bytes', (): [Buffer, object] => [randomBytes(16), {}], 'MATERIAL_LENGTH'],
    ['33 bytes', (): [Buffer, object] => [randomBytes(33), {}], 'MATERIAL_LENGTH'],
    [
      'a past expiry',
      (): [Buffer, object] => [randomBytes(32), { expiresAt: new Date(1_546_272_000_000) }],
      'EXPIRY_PAST',
    ],
  ])('of %s is refused, and the key stays pending', async (_what, given, code) => {
    const { id } = await model.external();
    await expect(model.import(id, ...given())).rejects.toEqual(refuses(code));
    expect(await model.blob(id)).toHaveLength(0);
    expect((await model.import(id, randomBytes(32))).state).toBe(1);
  });

  it('into a key that is not external is refused', async () => {
    const id = await model.at.key();
    const asked = new GetImportParameters(MANAGER, model.target(id), { algorithm: 'RSAES_OAEP_SHA_256' });
    await expect(model.ask(asked)).rejects.toEqual(refuses('KEY_NOT_EXTERNAL'));
    await expect(model.importWith(id, randomBytes(160), randomBytes(256))).rejects.toEqual(refuses('KEY_NOT_EXTERNAL'));
  });
});

describe('the material', () => {
  it('that is deleted is gone from the database', async () => {
    const { id } = await model.imported();
    expect(await model.blob(id)).toHaveLength(40);
    expect((await model.ask(new DeleteKeyMaterial(MANAGER, model.target(id)))).state).toBe(0);
    expect(await model.blob(id)).toHaveLength(0);
    await expect(encrypt(id)).rejects.toEqual(refuses('MATERIAL_ABSENT'));
    await model.ask(new DeleteKeyMaterial(MANAGER, model.target(id)));
    const again = new DeleteKeyMaterial(MANAGER, model.target(id), { onlyLive: true });
    await expect(model.ask(again)).rejects.toEqual(refuses('MATERIAL_ABSENT'));
  });

  it('that expires is refused at once, and is then gone from the database', async () => {
    const { id } = await model.imported(randomBytes(32), soon(4_000));
    const sealed = await encrypt(id);
    await model.at.untilRow(
      `SELECT 1 FROM "keys" WHERE "id" = $1 AND "materialExpiresAt" <= now() OR "state" = 0 AND "id" = $1`,
      id,
    );
    await expect(decrypt(id, sealed)).rejects.toEqual(refuses('MATERIAL_ABSENT'));
    await model.at.untilRow(`SELECT 1 FROM "key_versions" WHERE "keyId" = $1 AND "blob" = ''`, id);
    const { rows } = await model.at.db.query(`SELECT "state", "materialBinding" FROM "keys" WHERE "id" = $1`, [id]);
    expect(rows[0]).toEqual({ state: 0, materialBinding: expect.any(Buffer) });
    const audit = `SELECT 1 FROM "audit_lines" WHERE "act" = 'kms.key-material.expire' AND "target" = $1`;
    await model.at.untilRow(audit, id);
  });

  it.each([
    ['a later expiry', `"materialExpiresAt" = now() + interval '1 year'`],
    ['another binding', `"materialBinding" = '\\x00'`],
    ['a scheduled deletion', `"state" = 1, "deletionDueAt" = NULL, "usage" = 'SIGN_VERIFY'`],
    ['no owner', `"external" = false`],
  ])('a row with %s, changed behind our back, is refused', async (_what, change) => {
    const material = randomBytes(32);
    const { id } = await model.imported(material, soon(3_600_000));
    await model.at.db.query(`UPDATE "keys" SET ${change} WHERE "id" = $1`, [id]);
    await expect(encrypt(id)).rejects.toEqual(refuses('KEY_ROW_INVALID'));
  });
});

describe('a private key', () => {
  const KINDS: readonly [KeyAlgorithm, SigningAlgorithm, () => Buffer][] = [
    ['RSA-2048', 'RSASSA_PKCS1_V1_5_SHA_256', () => rsa(2048)],
    ['RSA-3072', 'RSASSA_PKCS1_V1_5_SHA_256', () => rsa(3072)],
    ['RSA-4096', 'RSASSA_PKCS1_V1_5_SHA_256', () => rsa(4096)],
    ['EC-P256', 'ECDSA_SHA_256', () => ec('P-256')],
    ['EC-P384', 'ECDSA_SHA_256', () => ec('P-384')],
  ];
  const rsa = (modulusLength: number) =>
    generateKeyPairSync('rsa', { modulusLength }).privateKey.export({ type: 'pkcs8', format: 'der' });
  const ec = (namedCurve: string) =>
    generateKeyPairSync('ec', { namedCurve }).privateKey.export({ type: 'pkcs8', format: 'der' });
  async function importPrivate(id: string, pkcs8: Buffer, temporary = randomBytes(32)) {
    const encryptedPrivateKey = wrapPrivateKey(temporary, pkcs8);
    return model.import(id, temporary, { encryptedPrivateKey, expiresAt: soon(1_000) });
  }

  it.each(KINDS)(
    '%s signs inside the token, and everybody can check',
    async (kind, algorithm, make) => {
      const { id } = await model.external(kind);
      const pkcs8 = make();
      expect(await importPrivate(id, pkcs8)).toMatchObject({ state: 1, algorithm: kind, materialExpiresAt: null });
      const message = Buffer.from('a message');
      const digest = sha256(message);
      const { signature } = await model.ask(new SignDigest(MANAGER, model.target(id), { algorithm, digest }));
      const { publicKey } = await model.ask(new GetPublicKey(MANAGER, model.target(id)));
      const key = createPublicKey({ key: publicKey, format: 'der', type: 'spki' });
      expect(verify('sha256', message, key, signature)).toBe(true);
      const check = (given: Buffer) =>
        new VerifyDigest(MANAGER, model.target(id), { algorithm, digest: given, signature });
      expect(await model.ask(check(digest))).toMatchObject({ valid: true });
      expect(await model.ask(check(sha256('another')))).toMatchObject({ valid: false });
    },
    60_000,
  );

  it('encrypts nothing, is refused by Key Protect as no root key, and its material stays', async () => {
    const { id } = await model.external('EC-P256');
    const pkcs8 = ec('P-256');
    await importPrivate(id, pkcs8, randomBytes(16));
    await expect(encrypt(id)).rejects.toEqual(refuses('KEY_ASYMMETRIC'));
    expect(refusalOf(await model.at.send('POST', `keys/${id}/actions/wrap`))).toEqual([400, 'KEY_ROOT_REQ_ERR']);
    await expect(model.ask(new DeleteKeyMaterial(MANAGER, model.target(id)))).rejects.toEqual(
      refuses('KEY_ASYMMETRIC'),
    );
    await expect(importPrivate(id, ec('P-256'))).rejects.toEqual(refuses('MATERIAL_MISMATCH'));
    expect((await importPrivate(id, pkcs8)).state).toBe(1);
  });

  it.each([
    ['of another curve', () => ec('P-384'), 32, 'PRIVATE_KEY_INVALID'],
    ['that is none', () => randomBytes(120), 32, 'PRIVATE_KEY_INVALID'],
    ['under 24 bytes', () => ec('P-256'), 24, 'TEMPORARY_KEY_LENGTH'],
  ])('%s is refused', async (_what, make, bytes, code) => {
    const { id } = await model.external('EC-P256');
    await expect(importPrivate(id, make(), randomBytes(bytes))).rejects.toEqual(refuses(code));
    expect(await model.blob(id)).toHaveLength(0);
  });

  it('signs by its own algorithms only, and a symmetric key by none', async () => {
    const { id } = await model.external('EC-P256');
    await importPrivate(id, ec('P-256'));
    const sign = (key: string, algorithm: SigningAlgorithm, bytes: number) =>
      model.ask(new SignDigest(MANAGER, model.target(key), { algorithm, digest: randomBytes(bytes) }));
    await expect(sign(id, 'RSASSA_PSS_SHA_256', 32)).rejects.toEqual(refuses('FIELD_INVALID'));
    await expect(sign(id, 'ECDSA_SHA_256', 48)).rejects.toEqual(refuses('FIELD_INVALID'));
    const aes = await model.imported();
    await expect(sign(aes.id, 'ECDSA_SHA_256', 32)).rejects.toEqual(refuses('KEY_USAGE'));
    await expect(model.ask(new GetPublicKey(MANAGER, model.target(aes.id)))).rejects.toEqual(refuses('KEY_USAGE'));
  });
});

it('what was encrypted to the pair of another token does not open', async () => {
  const { id } = await model.external();
  const ask = () => model.ask(new GetImportParameters(MANAGER, model.target(id), { algorithm: 'RSAES_OAEP_SHA_256' }));
  const [one, two] = [await ask(), await ask()];
  const sealed = encryptTo(one.publicKey, 'RSAES_OAEP_SHA_256', randomBytes(32));
  await expect(model.importWith(id, two.importToken, sealed)).rejects.toEqual(refuses('IMPORT_INVALID'));
  expect((await model.importWith(id, one.importToken, sealed)).state).toBe(1);
});

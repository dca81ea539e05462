import { createHash, createPublicKey, type KeyObject, randomBytes, verify } from 'node:crypto';
import { lengthPrefixed } from '../../src/shared/bytes.js';
import type { AdminClient, CryptoClient } from '../../src/unit-agent/client.js';
import type { KeyRowFields, SealedMaterial, StoredRow, WrappingAlgorithm } from '../../src/unit-agent/protocol.js';
import { encryptTo, privateKeyOf } from '../pkcs11/sealed-material.js';
import { seal, wrapKwp } from '../pkcs11/witness.js';
import { AgentWorld } from './agent-world.js';
import { Ceremony } from './ceremony.js';

const world = new AgentWorld();
const ceremony = new Ceremony(world);
let admin: AdminClient;
let crypto: CryptoClient;
let pair: StoredRow;
let pairKey: KeyObject;

const row: KeyRowFields = {
  instance: world.instance,
  key: 'key-1',
  version: '1',
  algorithm: 'AES-256',
  state: 'pre-activation',
  policy: '{}',
};
beforeAll(async () => {
  await world.start();
  admin = await world.admin();
  await ceremony.initialise(admin);
  crypto = await world.crypto(ceremony.kmsUser);
  const pairRow = { ...row, key: 'parameters', algorithm: 'RSA-2048', state: 'active' };
  const { publicKey, blob, mac } = await crypto.generateImportPair(pairRow);
  pair = { row: pairRow, blob, mac };
  pairKey = createPublicKey({ key: publicKey, format: 'der', type: 'spki' });
});
afterAll(() => world.end());

const refused = (code: string) => expect.objectContaining({ code });
const [AAD, PLAIN, NO_BLOB] = [Buffer.from('aad'), Buffer.from('data'), Buffer.alloc(0)];
const next = (state: string, policy = '{}') => ({ state, policy });

async function pending(change: Partial<KeyRowFields> = {}): Promise<StoredRow> {
  const fields = { ...row, ...change };
  return { row: fields, blob: NO_BLOB, ...(await crypto.newExternalRow(fields)) };
}

function sealed(key: Buffer, algorithm: WrappingAlgorithm = 'RSAES_OAEP_SHA_256'): SealedMaterial {
  return { algorithm, wrappedKey: encryptTo(pairKey, algorithm, key) };
}

const take = (given: SealedMaterial, stored: StoredRow, to = next('active')) =>
  crypto.importMaterial(pair.row, pair.blob, pair.mac, given, stored, to);

/** Imports, and gives the row as it is stored then. */
async function imported(given: SealedMaterial, stored: StoredRow, to = next('active')): Promise<StoredRow> {
  const { blob, mac } = await take(given, stored, to);
  return { row: { ...stored.row, ...to }, blob, mac };
}

function sealedPrivateKey(kind: Parameters<typeof privateKeyOf>[0]): SealedMaterial {
  const temporaryKey = randomBytes(32);
  const pkcs8 = privateKeyOf(kind).export({ type: 'pkcs8', format: 'der' });
  return { ...sealed(temporaryKey), privateKey: wrapKwp(temporaryKey, pkcs8) };
}

describe('an external key', () => {
  it('without material has a genuine row that is of no use', async () => {
    const stored = await pending();
    expect(stored.mac).toHaveLength(32);
    expect(await crypto.checkRows([stored])).toEqual([true]);
    await expect(crypto.encrypt(stored.row, NO_BLOB, stored.mac, AAD, PLAIN)).rejects.toEqual(refused('KEY_STATE'));
    await expect(crypto.publicKey(stored)).rejects.toEqual(refused('KEY_STATE'));
  });

  it('is new in pre-activation, of this instance, and of an algorithm that there is', async () => {
    await expect(pending({ state: 'active' })).rejects.toEqual(refused('KEY_STATE'));
    await expect(pending({ instance: 'x' })).rejects.toEqual(refused('KEY_ROW_INVALID'));
    for (const algorithm of ['AES-128', 'EC-P521', 'RSA-1024', 'toString', '']) {
      await expect(pending({ algorithm })).rejects.toEqual(refused('BAD_REQUEST'));
    }
  });

  it('without material becomes neither active nor suspended but by an import; it can change its policy and go', async () => {
    const stored = await pending();
    for (const state of ['active', 'suspended', 'deactivated']) {
      await expect(crypto.changeRows([{ ...stored, next: next(state) }])).rejects.toEqual(refused('KEY_STATE'));
    }
    const { mac } = await crypto.changeRow(stored.row, NO_BLOB, stored.mac, next('pre-activation', '{"a":1}'));
    const changed = { ...stored.row, policy: '{"a":1}' };
    const gone = await crypto.changeRow(changed, NO_BLOB, mac, next('destroyed', '{"a":1}'));
    await expect(
      crypto.changeRow({ ...changed, state: 'destroyed' }, NO_BLOB, gone.mac, next('active')),
    ).rejects.toEqual(refused('KEY_STATE'));
  });

  it('with material never goes back to pre-activation by a change of its row', async () => {
    const stored = await imported(sealed(randomBytes(32)), await pending());
    const attempt = crypto.changeRow(stored.row, stored.blob, stored.mac, next('pre-activation'));
    await expect(attempt).rejects.toEqual(refused('KEY_STATE'));
  });
});

describe('key material', () => {
  it.each(['RSAES_PKCS1_V1_5', 'RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'] as const)(
    'by %s encrypts as OpenSSL does with it',
    async (algorithm) => {
      const key = randomBytes(32);
      const stored = await imported(sealed(key, algorithm), await pending());
      const ciphertext = await crypto.encrypt(stored.row, stored.blob, stored.mac, AAD, PLAIN);
      expect(seal(key, PLAIN, AAD, ciphertext.subarray(0, 12))).toEqual(ciphertext);
    },
  );

  it('binds its key: the same again gives the same binding, another or of another key does not', async () => {
    const [key, other] = [randomBytes(32), randomBytes(32)];
    const stored = await pending();
    const bindings = [
      await take(sealed(key), stored),
      await take(sealed(key, 'RSAES_PKCS1_V1_5'), await pending({ policy: '{"b":2}' }), next('suspended')),
      await take(sealed(other), stored),
      await take(sealed(key), await pending({ key: 'key-2' })),
    ].map(({ binding, publicKey }) => ({ binding: binding.toString('hex'), publicKey }));
    expect(bindings[0]?.binding).toHaveLength(64);
    expect(bindings[1]).toEqual(bindings[0]);
    expect(new Set(bindings.map(({ binding }) => binding)).size).toBe(3);
    expect(bindings.map(({ publicKey }) => publicKey)).toEqual([null, null, null, null]);
  });

  it('comes in again while the key is active or suspended, under its next state and policy', async () => {
    const key = randomBytes(32);
    const active = await imported(sealed(key), await pending());
    const suspended = await imported(sealed(key), active, next('suspended', '{"expires":1}'));
    expect(await crypto.checkRows([suspended])).toEqual([true]);
    await expect(crypto.encrypt(suspended.row, suspended.blob, suspended.mac, AAD, PLAIN)).rejects.toEqual(
      refused('KEY_STATE'),
    );
    const again = await imported(sealed(key), suspended);
    expect(again.blob).toEqual(active.blob);
  });

  it('goes, and comes in again', async () => {
    const key = randomBytes(32);
    const stored = await imported(sealed(key), await pending());
    const ciphertext = await crypto.encrypt(stored.row, stored.blob, stored.mac, AAD, PLAIN);
    const { mac } = await crypto.dropMaterial(stored, { state: 'pre-activation', policy: '{"dropped":1}' });
    const empty = { row: { ...stored.row, state: 'pre-activation', policy: '{"dropped":1}' }, blob: NO_BLOB, mac };
    expect(await crypto.checkRows([empty])).toEqual([true]);
    await expect(crypto.dropMaterial(empty, next('pre-activation'))).rejects.toEqual(refused('KEY_STATE'));
    const back = await imported(sealed(key), empty);
    expect(await crypto.decrypt(back.row, back.blob, back.mac, AAD, ciphertext)).toEqual(PLAIN);
  });

  it('is refused for a row that was changed, a state that takes none, and a next state that has none', async () => {
    const given = sealed(randomBytes(32));
    const stored = await pending();
    const changed = { ...stored, row: { ...stored.row, policy: '{"c":3}' } };
    await expect(take(given, changed)).rejects.toEqual(refused('KEY_ROW_INVALID'));
    await expect(crypto.dropMaterial(changed, next('pre-activation'))).rejects.toEqual(refused('KEY_ROW_INVALID'));
    for (const state of ['pre-activation', 'destroyed', 'deactivated', 'lost']) {
      await expect(take(given, stored, next(state))).rejects.toEqual(refused('KEY_STATE'));
    }
    const active = await imported(given, stored);
    for (const state of ['deactivated', 'destroyed']) {
      const { mac } = await crypto.changeRow(active.row, active.blob, active.mac, next(state));
      const ended = { row: { ...active.row, state }, blob: active.blob, mac };
      await expect(take(given, ended)).rejects.toEqual(refused('KEY_STATE'));
      await expect(crypto.dropMaterial(ended, next('pre-activation'))).rejects.toEqual(refused('KEY_STATE'));
    }
  });

  it('is refused with a pair that was changed, burnt, or is another kind of key', async () => {
    const given = sealed(randomBytes(32));
    const stored = await pending();
    const attempt = (by: StoredRow) => crypto.importMaterial(by.row, by.blob, by.mac, given, stored, next('active'));
    await expect(attempt({ ...pair, row: { ...pair.row, policy: 'x' } })).rejects.toEqual(refused('KEY_ROW_INVALID'));
    const { mac } = await crypto.changeRow(pair.row, pair.blob, pair.mac, next('destroyed'));
    const burnt = { ...pair, mac, row: { ...pair.row, state: 'destroyed' } };
    await expect(attempt(burnt)).rejects.toEqual(refused('KEY_STATE'));
    const signing = await imported(sealedPrivateKey('RSA-2048'), await pending({ algorithm: 'RSA-2048' }));
    await expect(attempt(signing)).rejects.toEqual(refused('KEY_ROW_INVALID'));
    await expect(crypto.sign(pair, 'RSASSA_PSS_SHA_256', randomBytes(32))).rejects.toEqual(refused('KEY_ROW_INVALID'));
  });

  it('that does not open has one answer, and what is told apart is told after a good decode', async () => {
    const stored = await pending();
    const good = sealed(randomBytes(32), 'RSAES_PKCS1_V1_5');
    const attempts: SealedMaterial[] = [
      { ...good, wrappedKey: Buffer.alloc(256) },
      { ...good, wrappedKey: Buffer.alloc(256, 0xff) },
      { ...good, wrappedKey: good.wrappedKey.subarray(1) },
      { ...good, algorithm: 'RSAES_OAEP_SHA_1' },
      { ...good, algorithm: 'RSAES_OAEP_SHA_256' },
      sealed(randomBytes(16), 'RSAES_PKCS1_V1_5'),
      sealed(randomBytes(33), 'RSAES_PKCS1_V1_5'),
    ];
    const answers = await Promise.all(attempts.map((given) => take(given, stored).catch((cause: unknown) => cause)));
    const said = answers.map((cause) => JSON.stringify([(cause as { code: string }).code, (cause as Error).message]));
    expect(new Set(said).size).toBe(1);
    expect(answers[0]).toMatchObject({ code: 'IMPORT_INVALID' });
    await expect(take(sealed(randomBytes(31)), stored)).rejects.toEqual(refused('MATERIAL_LENGTH'));
    expect((await admin.probe()).facts.token.problem).toBeNull();
  });

  it('and a private key are each taken for what their row says', async () => {
    const both = sealedPrivateKey('EC-P256');
    await expect(take(both, await pending())).rejects.toEqual(refused('BAD_REQUEST'));
    const ec = await pending({ algorithm: 'EC-P256' });
    await expect(take(sealed(randomBytes(32)), ec)).rejects.toEqual(refused('BAD_REQUEST'));
    await expect(take({ ...both, algorithm: 'RAW' as WrappingAlgorithm }, ec)).rejects.toEqual(refused('BAD_REQUEST'));
    await expect(take({ ...both, ...sealed(randomBytes(24)) }, ec)).rejects.toEqual(refused('TEMPORARY_KEY_LENGTH'));
    await expect(take(both, await pending({ algorithm: 'RSA-2048' }))).rejects.toEqual(refused('PRIVATE_KEY_INVALID'));
  });
});

describe('a private key', () => {
  it.each(['RSA-2048', 'RSA-3072', 'RSA-4096', 'EC-P256', 'EC-P384'] as const)('of %s signs', async (kind) => {
    const { blob, mac, publicKey } = await take(sealedPrivateKey(kind), await pending({ algorithm: kind }));
    const stored = { row: { ...row, algorithm: kind, state: 'active' }, blob, mac };
    const spki = createPublicKey(privateKeyOf(kind)).export({ type: 'spki', format: 'der' });
    expect(publicKey).toEqual(spki);
    expect(await crypto.publicKey(stored)).toEqual(spki);
    const algorithm = kind.startsWith('RSA') ? 'RSASSA_PKCS1_V1_5_SHA_256' : 'ECDSA_SHA_256';
    const message = randomBytes(100);
    const digest = createHash('sha256').update(message).digest();
    const signature = await crypto.sign(stored, algorithm, digest);
    expect(verify('sha256', message, createPublicKey(privateKeyOf(kind)), signature)).toBe(true);
    expect(await crypto.verify(stored, algorithm, digest, signature)).toBe(true);
    expect(await crypto.verify(stored, algorithm, randomBytes(32), signature)).toBe(false);
    await expect(crypto.encrypt(stored.row, blob, mac, AAD, PLAIN)).rejects.toEqual(refused('KEY_ROW_INVALID'));
  });

  it('has the binding of its public half, and its row MAC covers that half', async () => {
    const given = sealedPrivateKey('EC-P256');
    const stored = await pending({ algorithm: 'EC-P256' });
    const [one, again] = [await take(given, stored), await take(sealedPrivateKey('EC-P256'), stored)];
    expect(again.binding).toEqual(one.binding);
    const other = createPublicKey(privateKeyOf('EC-P384')).export({ type: 'spki', format: 'der' });
    const wrapped = one.blob.subarray(8 + (one.publicKey?.length ?? 0));
    expect(lengthPrefixed([one.publicKey as Buffer, wrapped])).toEqual(one.blob);
    const swapped = { row: { ...stored.row, state: 'active' }, blob: lengthPrefixed([other, wrapped]), mac: one.mac };
    await expect(crypto.publicKey(swapped)).rejects.toEqual(refused('KEY_ROW_INVALID'));
  });

  it('signs while it is active, verifies also when deactivated, and tells its public half until it is destroyed', async () => {
    const active = await imported(sealedPrivateKey('EC-P256'), await pending({ algorithm: 'EC-P256' }));
    const digest = randomBytes(32);
    const signature = await crypto.sign(active, 'ECDSA_SHA_256', digest);
    const may: Record<string, readonly boolean[]> = {
      suspended: [false, false, true],
      deactivated: [false, true, true],
      destroyed: [false, false, false],
    };
    for (const [state, allowed] of Object.entries(may)) {
      const { mac } = await crypto.changeRow(active.row, active.blob, active.mac, next(state));
      const stored = { ...active, mac, row: { ...active.row, state } };
      const acts = [
        crypto.sign(stored, 'ECDSA_SHA_256', digest),
        crypto.verify(stored, 'ECDSA_SHA_256', digest, signature),
        crypto.publicKey(stored),
      ];
      const codes = await Promise.all(
        acts.map((act) => act.then(() => 'done').catch((cause: { code: string }) => cause.code)),
      );
      expect([state, ...codes]).toEqual([state, ...allowed.map((is) => (is ? 'done' : 'KEY_STATE'))]);
    }
  });

  it('is no AES key: that neither signs, nor verifies, nor has a public half', async () => {
    const aes = await imported(sealed(randomBytes(32)), await pending());
    const digest = randomBytes(32);
    await expect(crypto.sign(aes, 'ECDSA_SHA_256', digest)).rejects.toEqual(refused('BAD_REQUEST'));
    await expect(crypto.verify(aes, 'ECDSA_SHA_256', digest, digest)).rejects.toEqual(refused('BAD_REQUEST'));
    await expect(crypto.publicKey(aes)).rejects.toEqual(refused('BAD_REQUEST'));
  });
});

describe('a ciphertext', () => {
  const active = async (key: string, version = '1'): Promise<StoredRow> => {
    const fields = { ...row, key, version, state: 'active' };
    return { row: fields, ...(await crypto.generateRootKey(fields)) };
  };
  const inState = async (stored: StoredRow, state: string): Promise<StoredRow> => {
    const { mac } = await crypto.changeRow(stored.row, stored.blob, stored.mac, next(state));
    return { ...stored, mac, row: { ...stored.row, state } };
  };
  const encryptUnder = ({ row: fields, blob, mac }: StoredRow) => crypto.encrypt(fields, blob, mac, AAD, PLAIN);
  const OTHER_AAD = Buffer.from('other aad');

  it('goes from one key to another, with another context', async () => {
    const [from, to] = [await active('a'), await active('b')];
    const moved = await crypto.reencrypt(
      { ...from, aad: AAD, sealed: await encryptUnder(from) },
      { ...to, aad: OTHER_AAD },
    );
    expect(await crypto.decrypt(to.row, to.blob, to.mac, OTHER_AAD, moved)).toEqual(PLAIN);
  });

  it('leaves a deactivated key for an active one, and within a deactivated key for its newest version', async () => {
    const [old, newest, other] = [await active('a', '1'), await active('a', '2'), await active('b')];
    const ciphertext = await encryptUnder(old);
    const from = { ...(await inState(old, 'deactivated')), aad: AAD, sealed: ciphertext };
    const within = { ...(await inState(newest, 'deactivated')), aad: OTHER_AAD };
    const moved = await crypto.reencrypt(from, within);
    expect(await crypto.decrypt(within.row, within.blob, within.mac, OTHER_AAD, moved)).toEqual(PLAIN);
    expect(await crypto.reencrypt(from, { ...other, aad: AAD })).toHaveLength(ciphertext.length);
    const outside = { ...(await inState(other, 'deactivated')), aad: AAD };
    await expect(crypto.reencrypt(from, outside)).rejects.toEqual(refused('KEY_STATE'));
  });

  it('stays where it is when either key is suspended, or either row or the ciphertext was changed', async () => {
    const [from, to] = [await active('a'), await active('b')];
    const ciphertext = await encryptUnder(from);
    const given = { ...from, aad: AAD, sealed: ciphertext };
    const attempt = (one: object, other: object) =>
      crypto.reencrypt({ ...given, ...one }, { ...to, aad: AAD, ...other });
    await expect(attempt(await inState(from, 'suspended'), {})).rejects.toEqual(refused('KEY_STATE'));
    await expect(attempt({}, await inState(to, 'suspended'))).rejects.toEqual(refused('KEY_STATE'));
    await expect(attempt({ blob: to.blob }, {})).rejects.toEqual(refused('KEY_ROW_INVALID'));
    await expect(attempt({}, { blob: from.blob })).rejects.toEqual(refused('KEY_ROW_INVALID'));
    await expect(attempt({ aad: OTHER_AAD }, {})).rejects.toEqual(refused('CIPHERTEXT_INVALID'));
    await expect(attempt({ sealed: randomBytes(40) }, {})).rejects.toEqual(refused('CIPHERTEXT_INVALID'));
  });
});

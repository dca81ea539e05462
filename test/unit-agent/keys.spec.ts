import { constants, createPublicKey, publicEncrypt, randomBytes } from 'node:crypto';
import { readReceipt } from '../../src/admins/receipt.js';
import type { AdminClient, CryptoClient } from '../../src/unit-agent/client.js';
import type { KeyRowFields, SealedKey, WrappedKey } from '../../src/unit-agent/protocol.js';
import { seal, sealNonce } from '../pkcs11/witness.js';
import { AgentWorld } from './agent-world.js';
import { Ceremony } from './ceremony.js';

const world = new AgentWorld();
const ceremony = new Ceremony(world);
let admin: AdminClient;
let crypto: CryptoClient;
beforeAll(async () => {
  await world.start();
  admin = await world.admin();
  await ceremony.initialise(admin);
  crypto = await world.crypto(ceremony.kmsUser);
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
const pairRow: KeyRowFields = { ...row, key: 'import-token', algorithm: 'RSA-2048' };
const [AAD, PLAIN] = [Buffer.from('aad'), Buffer.from('data')];

describe('key material of a client', () => {
  it.each([
    [16, 'AES-128'],
    [24, 'AES-192'],
    [32, 'AES-256'],
  ] as const)('of %i bytes becomes a root key that works as OpenSSL does with it', async (bytes, algorithm) => {
    const material = randomBytes(bytes);
    const kept = Buffer.from(material);
    const { blob, mac } = await crypto.importRootKey({ ...row, algorithm }, material);
    expect(material).toEqual(kept);
    expect([blob.length, mac.length]).toEqual([bytes + 8, 32]);
    expect(await crypto.decrypt({ ...row, algorithm }, blob, mac, AAD, seal(material, PLAIN, AAD))).toEqual(PLAIN);
  });

  it.each([
    ['of 20 bytes', randomBytes(20)],
    ['of no bytes', Buffer.alloc(0)],
    ['of zeros', Buffer.alloc(32)],
    ['of one byte over and over', Buffer.alloc(32, 0xa5)],
  ])('%s is FIELD_INVALID', async (_what, material) => {
    await expect(crypto.importRootKey(row, material)).rejects.toEqual(refused('FIELD_INVALID'));
  });

  it('is refused under another algorithm, another instance, or a state that is not active', async () => {
    const attempt = (change: Partial<KeyRowFields>) => crypto.importRootKey({ ...row, ...change }, randomBytes(32));
    await expect(attempt({ algorithm: 'AES-128' })).rejects.toEqual(refused('BAD_REQUEST'));
    await expect(attempt({ instance: 'x' })).rejects.toEqual(refused('KEY_ROW_INVALID'));
    await expect(attempt({ state: 'suspended' })).rejects.toEqual(refused('KEY_STATE'));
  });
});

describe('a stored row', () => {
  const next = (state: string, policy = '{}') => ({ state, policy });

  it('gets another state and policy, and is used under these only', async () => {
    const { blob, mac } = await crypto.generateRootKey(row);
    const sealed = await crypto.encrypt(row, blob, mac, AAD, PLAIN);
    const disabled = { ...row, state: 'suspended', policy: '{"a":1}' };
    const changed = await crypto.changeRow(row, blob, mac, next('suspended', '{"a":1}'));
    await expect(crypto.encrypt(disabled, blob, changed.mac, AAD, PLAIN)).rejects.toEqual(refused('KEY_STATE'));
    await expect(crypto.encrypt(row, blob, changed.mac, AAD, PLAIN)).rejects.toEqual(refused('KEY_ROW_INVALID'));
    const again = await crypto.changeRow(disabled, blob, changed.mac, next('active'));
    expect(again.mac).toEqual(mac);
    const retired = { ...row, state: 'deactivated' };
    const { mac: last } = await crypto.changeRow(row, blob, mac, next('deactivated'));
    expect(await crypto.decrypt(retired, blob, last, AAD, sealed)).toEqual(PLAIN);
    await expect(crypto.encrypt(retired, blob, last, AAD, PLAIN)).rejects.toEqual(refused('KEY_STATE'));
  });

  it('that was changed, or has another blob, gets no MAC', async () => {
    const { blob, mac } = await crypto.generateRootKey(row);
    const other = await crypto.generateRootKey(row);
    const attempts = [
      crypto.changeRow({ ...row, policy: '{"b":2}' }, blob, mac, next('suspended')),
      crypto.changeRow({ ...row, state: 'destroyed' }, blob, mac, next('active')),
      crypto.changeRow(row, other.blob, mac, next('suspended')),
      crypto.changeRow(row, blob, Buffer.alloc(32), next('suspended')),
    ];
    for (const attempt of attempts) await expect(attempt).rejects.toEqual(refused('KEY_ROW_INVALID'));
  });

  it('changes with many others in one frame, or none of them does', async () => {
    const made = await Promise.all(Array.from({ length: 50 }, () => crypto.generateRootKey(row)));
    const changes = made.map(({ blob, mac }) => ({ row, blob, mac, next: next('deactivated') }));
    const macs = await crypto.changeRows(changes);
    const after = macs.map(({ mac }, i) => ({
      row: { ...row, state: 'deactivated' },
      blob: made[i]?.blob as Buffer,
      mac,
    }));
    expect(await crypto.checkRows(after)).toEqual(made.map(() => true));
    const bad = changes.map((change, i) => (i === 30 ? { ...change, next: next('lost') } : change));
    await expect(crypto.changeRows(bad)).rejects.toEqual(refused('KEY_STATE'));
    await expect(crypto.changeRows([])).rejects.toEqual(refused('BAD_REQUEST'));
    const tooMany = Array.from({ length: 501 }, () => changes[0] as (typeof changes)[number]);
    await expect(crypto.changeRows(tooMany)).rejects.toEqual(refused('BAD_REQUEST'));
  });

  it('is told from one that was changed, whatever its state', async () => {
    const { blob, mac } = await crypto.generateRootKey(row);
    const destroyed = { ...row, state: 'destroyed' };
    const changed = await crypto.changeRow(row, blob, mac, next('destroyed'));
    const rows = [
      { row, blob, mac },
      { row: { ...row, key: 'key-2' }, blob, mac },
      { row: { ...row, instance: 'x' }, blob, mac },
      { row: destroyed, blob, mac: changed.mac },
      { row: destroyed, blob, mac },
      { row, blob: Buffer.alloc(40), mac },
    ];
    expect(await crypto.checkRows(rows)).toEqual([true, false, false, true, false, false]);
  });
});

describe('an import pair', () => {
  let pair: WrappedKey & { publicKey: Buffer };
  beforeAll(async () => {
    pair = await crypto.generateImportPair(pairRow);
  });
  const sealKey = (key: Buffer, publicKey = pair.publicKey): SealedKey => {
    const to = createPublicKey({ key: publicKey, format: 'der', type: 'spki' });
    const oaep = { key: to, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' };
    const nonce = randomBytes(12);
    return { oaep: 'SHA-256', wrappedKey: publicEncrypt(oaep, key), nonce, ...sealNonce(key, nonce) };
  };
  const open = (sealed: SealedKey, into = row) => crypto.importWithPair(pairRow, pair.blob, pair.mac, sealed, into);

  it.each([
    [16, 'AES-128'],
    [24, 'AES-192'],
    [32, 'AES-256'],
  ] as const)('takes in a key of %i bytes and says that it is %s', async (bytes, algorithm) => {
    const key = randomBytes(bytes);
    const imported = await open(sealKey(key), { ...row, algorithm: 'AES-256' });
    expect(imported.algorithm).toBe(algorithm);
    const stored = { ...row, algorithm };
    expect(await crypto.decrypt(stored, imported.blob, imported.mac, AAD, seal(key, PLAIN, AAD))).toEqual(PLAIN);
  });

  it('of every size there is names its public half, and no other size is made', async () => {
    for (const [algorithm, bits] of [
      ['RSA-2048', 2048],
      ['RSA-3072', 3072],
      ['RSA-4096', 4096],
    ] as const) {
      const of = { ...pairRow, algorithm };
      const { publicKey, blob, mac } = await crypto.generateImportPair(of);
      const key = createPublicKey({ key: publicKey, format: 'der', type: 'spki' });
      expect(key.asymmetricKeyDetails?.modulusLength).toBe(bits);
      expect(await crypto.importPairPublicKey(of, blob, mac)).toEqual(publicKey);
    }
    for (const algorithm of ['RSA-1024', 'AES-256', '', 'toString']) {
      await expect(crypto.generateImportPair({ ...pairRow, algorithm })).rejects.toEqual(refused('BAD_REQUEST'));
    }
  });

  it('is made after the one that was asked for before: one at a time, whoever asks', async () => {
    const order: number[] = [];
    const five = Array.from({ length: 5 }, async (_, n) => {
      await crypto.generateImportPair({ ...pairRow, algorithm: 'RSA-2048' });
      order.push(n);
    });
    await Promise.all(five);
    expect(order).toEqual([0, 1, 2, 3, 4]);
  });

  it('gives one and the same answer to everything that does not open', async () => {
    const key = randomBytes(32);
    const good = sealKey(key);
    const [first, second, third] = [randomBytes(256), randomBytes(12), randomBytes(28)];
    const attempts: SealedKey[] = [
      { ...good, wrappedKey: first.fill(0, 0, 1) },
      { ...good, wrappedKey: Buffer.alloc(256, 0xff) },
      { ...good, wrappedKey: Buffer.alloc(256) },
      { ...good, wrappedKey: good.wrappedKey.subarray(1) },
      { ...good, oaep: 'SHA-1' },
      { ...good, nonce: second },
      { ...good, iv: second },
      { ...good, encryptedNonce: third },
      { ...good, encryptedNonce: good.encryptedNonce.subarray(0, 27) },
      { ...good, iv: Buffer.alloc(16) },
      sealKey(Buffer.alloc(32)),
    ];
    const answers = await Promise.all(attempts.map((sealed) => open(sealed).catch((cause: unknown) => cause)));
    const said = answers.map((cause) => JSON.stringify([(cause as { code: string }).code, (cause as Error).message]));
    expect(new Set(said).size).toBe(1);
    expect(answers[0]).toMatchObject({ code: 'IMPORT_INVALID' });
    expect((await open(good)).algorithm).toBe('AES-256');
    expect((await admin.probe()).facts.token.problem).toBeNull();
  });

  it('serves only under its own row, and only while that is active', async () => {
    const good = sealKey(randomBytes(32));
    const changed = { ...pairRow, policy: '{"expiration":9}' };
    await expect(crypto.importWithPair(changed, pair.blob, pair.mac, good, row)).rejects.toEqual(
      refused('KEY_ROW_INVALID'),
    );
    await expect(crypto.importPairPublicKey(changed, pair.blob, pair.mac)).rejects.toEqual(refused('KEY_ROW_INVALID'));
    const { mac } = await crypto.changeRow(pairRow, pair.blob, pair.mac, { state: 'destroyed', policy: '{}' });
    const burnt = { ...pairRow, state: 'destroyed' };
    await expect(crypto.importWithPair(burnt, pair.blob, mac, good, row)).rejects.toEqual(refused('KEY_STATE'));
  });

  it('and a root key never stand in for each other', async () => {
    const key = await crypto.generateRootKey(row);
    const good = sealKey(randomBytes(32));
    await expect(crypto.importWithPair(row, key.blob, key.mac, good, row)).rejects.toEqual(refused('BAD_REQUEST'));
    await expect(crypto.encrypt(pairRow, pair.blob, pair.mac, AAD, PLAIN)).rejects.toEqual(refused('KEY_ROW_INVALID'));
  });

  it('lets in no key for another instance, nor one that is not active', async () => {
    const good = sealKey(randomBytes(32));
    await expect(open(good, { ...row, instance: 'x' })).rejects.toEqual(refused('KEY_ROW_INVALID'));
    await expect(open(good, { ...row, state: 'destroyed' })).rejects.toEqual(refused('KEY_STATE'));
  });

  it('in the making holds up neither probes nor keys', async () => {
    const { blob, mac } = await crypto.generateRootKey(row);
    let made = false;
    const making = crypto.generateImportPair({ ...pairRow, algorithm: 'RSA-4096' }).then(() => {
      made = true;
    });
    const durations: number[] = [];
    while (!made) {
      const before = performance.now();
      expect((await admin.probe()).facts.token.problem).toBeNull();
      await crypto.encrypt(row, blob, mac, AAD, PLAIN);
      durations.push(performance.now() - before);
    }
    await making;
    expect(durations.length).toBeGreaterThan(2);
    expect(Math.max(...durations)).toBeLessThan(1_000);
  });

  it('shows in the capabilities that imported keys pass through the memory of the agent', async () => {
    expect(await admin.capabilities()).toMatchObject({ oaepFallback: true, kwp: 0x210a });
  });
});

describe('a zeroize while a pair is being made', () => {
  it('waits for the pair, and then wipes everything', async () => {
    const making = crypto.generateImportPair({ ...pairRow, algorithm: 'RSA-4096' }).catch((cause: unknown) => cause);
    const spki = (await ceremony.facts(admin)).receiptKey?.spki ?? '';
    const { receipt } = await admin.command(await ceremony.document(admin, 'zeroize', { force: true }));
    expect(readReceipt(receipt, Buffer.from(spki, 'base64'))).toMatchObject({ outcome: 'ok' });
    await making;
    expect((await admin.probe()).facts).toMatchObject({ record: null, token: { problem: null } });
  });
});

import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  verify,
} from 'node:crypto';
import pkcs11js from 'pkcs11js';
import { unwrapAesKw } from '../../src/pkcs11/aes-kw.js';
import { theOne } from '../../src/pkcs11/objects.js';
import { probeCapabilities } from '../../src/pkcs11/probe.js';
import { encryptOaep } from '../../src/pkcs11/rsa-oaep.js';
import * as templates from '../../src/pkcs11/templates.js';
import { type Importer, UnitToken } from '../../src/pkcs11/unit-token.js';
import { Secret } from '../../src/shared/secret.js';
import { certificateDer } from './certificate.js';
import { devices, type TestToken } from './devices.js';
import { seal, wrapKw } from './witness.js';

const newId = () => randomBytes(16);
const AAD = Buffer.from('context');
const refused = (code: string) => expect.objectContaining({ code });

describe.each(devices)('a unit on $name', (device) => {
  let made: TestToken;
  let unit: UnitToken;

  beforeAll(() => {
    made = device.make();
    unit = UnitToken.open(made.wanted);
  });
  afterAll(() => {
    unit.close();
    made.remove();
  });

  describe('opening', () => {
    const reopened = (change: object, work: (open: () => UnitToken) => void) => {
      unit.close();
      try {
        work(() => UnitToken.open({ ...made.wanted, ...change }));
      } finally {
        unit = UnitToken.open(made.wanted);
      }
    };

    it('a token that is not there is TOKEN_LOST', () => {
      reopened({ serial: 'ffffffffffffffff' }, (open) => expect(open).toThrow(refused('TOKEN_LOST')));
      reopened({ label: 'another' }, (open) => expect(open).toThrow(refused('TOKEN_LOST')));
    });
    it('a wrong PIN is PIN_REFUSED, and login is announced before and after', () => {
      const phases: string[] = [];
      const change = { pin: new Secret(Buffer.from('not the PIN')), onLogin: (phase: string) => phases.push(phase) };
      reopened(change, (open) => expect(open).toThrow(refused('PIN_REFUSED')));
      expect(phases).toEqual(['begin', 'end']);
    });
    it('a path that is no module is TOKEN_UNSUITABLE', () => {
      const nowhere = { ...made.wanted, module: '/nowhere/module.so' };
      expect(() => UnitToken.open(nowhere)).toThrow(refused('TOKEN_UNSUITABLE'));
    });
    it('a token without a name is CONFIG_INVALID', () => {
      const { serial: _s, label: _l, ...nameless } = made.wanted;
      reopened({}, () => expect(() => UnitToken.open(nameless)).toThrow(refused('CONFIG_INVALID')));
    });
    it('a module serves one open token at a time', () => {
      expect(() => UnitToken.open(made.wanted)).toThrow(refused('UNIT_FAULT'));
      expect(unit.random(8)).toHaveLength(8);
    });
    it('each open is a new generation, and a closed token refuses everything', () => {
      const old = unit;
      reopened({}, () => {});
      expect(unit.generation).toBeGreaterThan(old.generation);
      expect(() => old.random(8)).toThrow(refused('UNIT_FAULT'));
      expect(() => old.info()).toThrow(refused('UNIT_FAULT'));
      expect(() => old.generateUnitMac(newId())).toThrow(refused('UNIT_FAULT'));
      expect(() => old.close()).not.toThrow();
      expect(unit.random(8)).toHaveLength(8);
    });
    it('says what the token is', () => {
      const info = unit.info();
      expect(info).toMatchObject({ serial: unit.serial, userPinProblem: 'none' });
      expect(info.label).toBe(made.wanted.label ?? 'unit-1');
      expect(info.model).not.toBe('');
    });
  });

  it('gives random bytes of every length asked for', () => {
    const drawn = new Set(Array.from({ length: 50 }, () => unit.random(32).toString('hex')));
    expect(drawn.size).toBe(50);
    expect([1, 12, 1000].map((length) => unit.random(length).length)).toEqual([1, 12, 1000]);
  });

  describe('keys made in the token', () => {
    it('unit-mac computes an HMAC that depends on key and data', () => {
      const [one, other] = [newId(), newId()];
      unit.generateUnitMac(one);
      unit.generateUnitMac(other);
      const mac = unit.hmac(one, Buffer.from('data'));
      expect(mac).toHaveLength(32);
      expect(unit.hmac(one, Buffer.from('data'))).toEqual(mac);
      expect(unit.hmac(one, Buffer.from('datb'))).not.toEqual(mac);
      expect(unit.hmac(other, Buffer.from('data'))).not.toEqual(mac);
      expect([unit.destroy(one), unit.destroy(other), unit.destroy(one)]).toEqual([1, 1, 0]);
      expect(() => unit.hmac(one, Buffer.from('data'))).toThrow(refused('UNIT_FAULT'));
    });
    it('the receipt key makes ES256 signatures that its public half verifies', () => {
      const id = newId();
      const spki = unit.generateReceiptKey(id);
      const data = Buffer.from('a receipt');
      const signature = unit.signReceipt(id, data);
      const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
      expect(signature).toHaveLength(64);
      expect(verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true);
      expect(unit.receiptPublicKey(id)).toEqual(spki);
      expect(unit.destroy(id)).toBe(2);
      expect(() => unit.signReceipt(id, data)).toThrow(refused('UNIT_FAULT'));
      expect(() => unit.receiptPublicKey(id)).toThrow(refused('UNIT_FAULT'));
    });
    it('an id that is in use on the token is never used again', () => {
      const id = newId();
      unit.generateUnitMac(id);
      expect(() => unit.generateUnitMac(id)).toThrow(refused('UNIT_FAULT'));
      expect(() => unit.generateReceiptKey(id)).toThrow(refused('UNIT_FAULT'));
      expect(unit.destroy(id)).toBe(1);
    });
  });

  if (device.expected.dataObjects) {
    it('keeps data objects, and lists them by label', () => {
      const [one, other] = [newId(), newId()];
      unit.createData('unit-record', one, Buffer.alloc(5000, 7));
      unit.createData('unit-record', other, Buffer.from('second'));
      unit.createData('something-else', newId(), Buffer.from('third'));
      const found = unit.readData('unit-record');
      expect(found).toHaveLength(2);
      expect(found.find(({ id }) => id.equals(one))?.value).toEqual(Buffer.alloc(5000, 7));
      expect(unit.destroy(one)).toBe(1);
      expect(unit.readData('unit-record').map(({ value }) => value.toString())).toEqual(['second']);
      expect(unit.readData('nothing')).toEqual([]);
    });
  } else {
    it('says so when it has no data objects', () => {
      expect(() => unit.createData('unit-record', newId(), Buffer.from('x'))).toThrow(refused('TOKEN_UNSUITABLE'));
      expect(unit.readData('unit-record')).toEqual([]);
    });
  }

  it('keeps certificates, and refuses what is none', () => {
    const id = newId();
    unit.createCertificate('ADMIN', id, certificateDer());
    const kept = unit.inventory().find((object) => object.id.equals(id));
    expect(kept).toMatchObject({ kind: 'certificate', label: 'ADMIN', usable: true });
    expect(unit.destroy(id)).toBe(1);
    expect(() => unit.createCertificate('ADMIN', newId(), Buffer.from('no'))).toThrow(refused('BAD_REQUEST'));
  });

  it('lists every object once, under its id and label, and whether it works', () => {
    const [mac, receipt] = [newId(), newId()];
    unit.generateUnitMac(mac);
    unit.generateReceiptKey(receipt);
    const listed = (id: Buffer) => unit.inventory().filter((object) => object.id.equals(id));
    const handle = expect.any(Buffer);
    expect(listed(mac)).toEqual([{ kind: 'secret', id: mac, label: 'unit-mac', handle, usable: true }]);
    expect(
      listed(receipt)
        .map(({ kind, label, usable }) => [kind, label, usable])
        .sort(),
    ).toEqual([
      ['private', 'receipt-key', true],
      ['public', 'receipt-key', true],
    ]);
    unit.destroy(mac);
    unit.destroy(receipt);
    expect([...listed(mac), ...listed(receipt)]).toEqual([]);
  });

  it('answers the capability probe as the device is known to, and leaves nothing behind', async () => {
    const before = unit.inventory().length;
    expect(await probeCapabilities(unit)).toEqual({ ...device.expected, module: made.wanted.module });
    expect(unit.inventory()).toHaveLength(before);
  });

  describe('a master key', () => {
    const [wrap, mac] = [randomBytes(32), randomBytes(32)];
    const [wrapId, macId] = [newId(), newId()];
    let importer: Importer;
    let publicKey: KeyObject;
    const encrypted = (key: Buffer) => encryptOaep(publicKey, importer.oaepHash, key);

    beforeAll(async () => {
      importer = await unit.generateImporter();
      publicKey = createPublicKey({ key: importer.publicKey, format: 'der', type: 'spki' });
      unit.importMasterKey(importer, 'mk-wrap', wrapId, encrypted(wrap));
      unit.importMasterKey(importer, 'mk-mac', macId, encrypted(mac));
    });

    it('goes in under the best OAEP hash of the token, to an RSA-3072 pair', () => {
      expect(importer.oaepHash).toBe(device.expected.oaepUnwrap[0]);
      expect(publicKey.asymmetricKeyDetails).toEqual({ modulusLength: 3072, publicExponent: 65537n });
    });
    it('a blob that does not open is MASTER_KEY_INVALID and leaves nothing on the token', () => {
      const id = newId();
      const blobs = [randomBytes(384), encrypted(wrap).reverse(), randomBytes(100), Buffer.alloc(384, 0xff)];
      for (const blob of blobs) {
        expect(() => unit.importMasterKey(importer, 'mk-wrap', id, blob)).toThrow(refused('MASTER_KEY_INVALID'));
      }
      expect(unit.inventory().some((object) => object.id.equals(id))).toBe(false);
    });
    it('a key of another length is refused where the token tells it, and never passes for the right one', () => {
      const id = newId();
      try {
        unit.importMasterKey(importer, 'mk-mac', id, encrypted(randomBytes(48)));
        expect(unit.hmac(id, AAD)).not.toEqual(unit.hmac(macId, AAD));
      } catch (cause) {
        expect(cause).toMatchObject({ code: 'MASTER_KEY_INVALID' });
      }
      unit.destroy(id);
    });
    it('an importer that was destroyed, or is of another token, is IMPORTER_INVALID', async () => {
      const used = await unit.generateImporter();
      used.destroy();
      used.destroy();
      const attempt = (which: Importer) => () => unit.importMasterKey(which, 'mk-mac', newId(), encrypted(mac));
      expect(attempt(used)).toThrow(refused('IMPORTER_INVALID'));
      expect(attempt({ ...used, publicKey, oaepHash: 'SHA-1', destroy() {} } as never)).toThrow(
        refused('IMPORTER_INVALID'),
      );
    });
    it('a token is not closed while a pair is being made', async () => {
      const making = unit.generateImporter();
      await Promise.resolve();
      expect(unit.busy).toBe(true);
      expect(() => unit.close()).toThrow(refused('UNIT_FAULT'));
      (await making).destroy();
      expect(unit.busy).toBe(false);
    });

    it('mk-mac gives the HMAC that OpenSSL gives', () => {
      const data = Buffer.from('row');
      expect(unit.hmac(macId, data)).toEqual(createHmac('sha256', mac).update(data).digest());
    });
    it('the check answer proves mk-wrap, and another check blob is MASTER_KEY_MISMATCH', () => {
      const checkKey = randomBytes(32);
      const input = Buffer.from('mkvp');
      const answer = unit.checkAnswer(wrapId, wrapKw(wrap, checkKey), input);
      expect(answer).toEqual(createHmac('sha256', checkKey).update(input).digest());
      const other = wrapKw(randomBytes(32), checkKey);
      expect(() => unit.checkAnswer(wrapId, other, input)).toThrow(refused('MASTER_KEY_MISMATCH'));
      expect(() => unit.checkAnswer(newId(), other, input)).toThrow(refused('UNIT_FAULT'));
    });

    it('a root key is made in the token and wrapped as RFC 3394 says', () => {
      const blob = unit.generateRootKey(wrapId);
      expect(blob).toHaveLength(40);
      expect(unit.generateRootKey(wrapId)).not.toEqual(blob);
    });
    it('encrypts and decrypts with a root key that OpenSSL wrapped, as OpenSSL does', () => {
      const rootKey = randomBytes(32);
      const blob = wrapKw(wrap, rootKey);
      const plaintext = Buffer.from('a data key');
      expect(unit.decrypt(wrapId, blob, seal(rootKey, plaintext, AAD), AAD)).toEqual(plaintext);
      const sealed = unit.encrypt(wrapId, blob, plaintext, AAD);
      expect(sealed).toHaveLength(12 + plaintext.length + 16);
      expect(seal(rootKey, plaintext, AAD, sealed.subarray(0, 12))).toEqual(sealed);
    });
    it.each([1, 15, 16, 17, 4096, 65_536])('encrypts and decrypts %i bytes, each time under another IV', (length) => {
      const blob = unit.generateRootKey(wrapId);
      const plaintext = randomBytes(length);
      const [one, other] = [unit.encrypt(wrapId, blob, plaintext, AAD), unit.encrypt(wrapId, blob, plaintext, AAD)];
      expect(one.subarray(0, 12)).not.toEqual(other.subarray(0, 12));
      for (const sealed of [one, other]) expect(unit.decrypt(wrapId, blob, sealed, AAD)).toEqual(plaintext);
    });
    it('every changed byte of a ciphertext, another context, or a cut is CIPHERTEXT_INVALID', () => {
      const blob = unit.generateRootKey(wrapId);
      const sealed = unit.encrypt(wrapId, blob, Buffer.from('plain'), AAD);
      const attempt = (bytes: Buffer, aad: Buffer) => () => unit.decrypt(wrapId, blob, bytes, aad);
      for (let at = 0; at < sealed.length; at += 1) {
        const changed = Buffer.from(sealed);
        changed.writeUInt8(changed.readUInt8(at) ^ 0x40, at);
        expect(attempt(changed, AAD)).toThrow(refused('CIPHERTEXT_INVALID'));
      }
      for (let length = 0; length < sealed.length; length += 1) {
        expect(attempt(sealed.subarray(0, length), AAD)).toThrow(refused('CIPHERTEXT_INVALID'));
      }
      expect(attempt(Buffer.concat([sealed, Buffer.alloc(1)]), AAD)).toThrow(refused('CIPHERTEXT_INVALID'));
      for (const aad of [Buffer.from('contexT'), Buffer.from('context '), Buffer.alloc(0)]) {
        expect(attempt(sealed, aad)).toThrow(refused('CIPHERTEXT_INVALID'));
      }
      expect(attempt(sealed, AAD)()).toEqual(Buffer.from('plain'));
    });
    it('another root key is CIPHERTEXT_INVALID', () => {
      const [one, other] = [unit.generateRootKey(wrapId), unit.generateRootKey(wrapId)];
      const sealed = unit.encrypt(wrapId, one, Buffer.from('plain'), AAD);
      expect(() => unit.decrypt(wrapId, other, sealed, AAD)).toThrow(refused('CIPHERTEXT_INVALID'));
    });
    it('a changed or foreign blob is KEY_ROW_INVALID, and the unit goes on', () => {
      const blob = unit.generateRootKey(wrapId);
      const changed = Buffer.from(blob);
      changed.writeUInt8(changed.readUInt8(8) ^ 1, 8);
      const foreign = wrapKw(randomBytes(32), randomBytes(32));
      for (const bad of [changed, foreign, blob.subarray(1), Buffer.alloc(0), Buffer.alloc(48)]) {
        expect(() => unit.encrypt(wrapId, bad, Buffer.from('x'), AAD)).toThrow(refused('KEY_ROW_INVALID'));
        expect(() => unit.decrypt(wrapId, bad, Buffer.alloc(60), AAD)).toThrow(refused('KEY_ROW_INVALID'));
      }
      expect(unit.encrypt(wrapId, blob, Buffer.from('x'), AAD)).toHaveLength(29);
    });
    it('what fails in the token leaves no OpenSSL error behind for the next call of node:crypto', () => {
      const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
      const der = privateKey.export({ type: 'pkcs8', format: 'der' });
      const readAKey = () => createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
      const blob = unit.generateRootKey(wrapId);
      const failures = [
        () => unit.encrypt(wrapId, randomBytes(40), AAD, AAD),
        () => unit.decrypt(wrapId, blob, randomBytes(60), AAD),
        () => unit.checkAnswer(wrapId, randomBytes(40), AAD),
        () => unit.importMasterKey(importer, 'mk-mac', newId(), Buffer.alloc(384, 1)),
        () =>
          unit.token.atGuard('unwrapping', (guard) => unwrapAesKw(guard, key(), randomBytes(40), templates.checkKey())),
      ];
      const key = () => unit.token.pool.use('finding', (session) => theOne(session, pkcs11js.CKO_SECRET_KEY, wrapId));
      for (const failure of failures) {
        expect(failure).toThrow();
        expect(readAKey).not.toThrow();
      }
    });
    it('an unknown mk-wrap is a fault of the unit, not of the key', () => {
      const blob = unit.generateRootKey(wrapId);
      expect(() => unit.encrypt(newId(), blob, Buffer.from('x'), AAD)).toThrow(refused('UNIT_FAULT'));
      expect(() => unit.generateRootKey(newId())).toThrow(refused('UNIT_FAULT'));
    });
    it('nothing to encrypt, or no context, is BAD_REQUEST', () => {
      const blob = unit.generateRootKey(wrapId);
      expect(() => unit.encrypt(wrapId, blob, Buffer.alloc(0), AAD)).toThrow(refused('BAD_REQUEST'));
      expect(() => unit.encrypt(wrapId, blob, Buffer.from('x'), Buffer.alloc(0))).toThrow(refused('BAD_REQUEST'));
    });
    it('the canary proves the unit, and with an mk-wrap the key', () => {
      expect(() => unit.canary(null)).not.toThrow();
      expect(() => unit.canary(wrapId)).not.toThrow();
      expect(() => unit.canary(newId())).toThrow(refused('UNIT_FAULT'));
    });
    it('session objects are counted: one for a generated or newly unwrapped root key, none for a cached one', () => {
      const made = (work: () => unknown) => {
        const before = unit.sessionObjectsMade;
        work();
        return unit.sessionObjectsMade - before;
      };
      let blob: Buffer = Buffer.alloc(0);
      expect(made(() => (blob = unit.generateRootKey(wrapId)))).toBe(1);
      expect(made(() => unit.encrypt(wrapId, blob, Buffer.from('x'), AAD))).toBe(1);
      expect(made(() => unit.encrypt(wrapId, blob, Buffer.from('x'), AAD))).toBe(0);
      expect(made(() => unit.hmac(macId, AAD))).toBe(0);
    });

    it('a reopened unit has its keys, and a destroyed mk-wrap is gone at once', () => {
      const blob = unit.generateRootKey(wrapId);
      const sealed = unit.encrypt(wrapId, blob, Buffer.from('plain'), AAD);
      importer.destroy();
      unit.close();
      unit = UnitToken.open(made.wanted);
      expect(unit.decrypt(wrapId, blob, sealed, AAD)).toEqual(Buffer.from('plain'));
      expect(unit.destroy(wrapId)).toBe(1);
      expect(() => unit.decrypt(wrapId, blob, sealed, AAD)).toThrow(refused('UNIT_FAULT'));
      expect(() => unit.canary(wrapId)).toThrow(refused('UNIT_FAULT'));
    });
  });
});

import { createPublicKey, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Handle } from 'pkcs11js';
import { Kwp } from '../../src/pkcs11/kwp.js';
import { MECHANISMS, type OaepHash } from '../../src/pkcs11/mechanisms.js';
import { decodeOaep } from '../../src/pkcs11/oaep-decode.js';
import { encryptOaep, unwrapOaep } from '../../src/pkcs11/rsa-oaep.js';
import type { Session } from '../../src/pkcs11/session-pool.js';
import { checkKey, importPairToUse, probeKek, value } from '../../src/pkcs11/templates.js';
import { UnitToken } from '../../src/pkcs11/unit-token.js';
import { devices, type TestToken } from './devices.js';
import { sealNonce, wrapKw, wrapKwp } from './witness.js';

interface Vector {
  readonly tcId: number;
  readonly comment: string;
  readonly result: 'valid' | 'invalid';
  readonly msg: string;
  readonly ct: string;
  readonly label: string;
}
interface Group {
  readonly privateKeyPkcs8: string;
  readonly privateKey: { readonly modulus: string };
  readonly tests: readonly Vector[];
}

const directory = process.env['KEYSTEAD_VECTORS_DIR'];
const wycheproof = directory && existsSync(directory) ? describe : describe.skip;
const hex = (text: string) => Buffer.from(text, 'hex');
const [wrap, wrapId] = [randomBytes(32), randomBytes(16)];

const FILES = [
  { file: 'rsa_oaep_2048_sha1_mgf1sha1', hash: 'SHA-1', least: 36 },
  { file: 'rsa_oaep_2048_sha256_mgf1sha256', hash: 'SHA-256', least: 37 },
  { file: 'rsa_oaep_4096_sha256_mgf1sha256', hash: 'SHA-256', least: 37 },
] as const satisfies readonly { file: string; hash: OaepHash; least: number }[];

wycheproof.each(devices)('Wycheproof on $name', (device) => {
  let made: TestToken;
  let unit: UnitToken;
  beforeAll(async () => {
    made = device.make();
    unit = UnitToken.open(made.wanted);
    const importer = await unit.generateImporter();
    const key = createPublicKey({ key: importer.publicKey, format: 'der', type: 'spki' });
    unit.importMasterKey(importer, 'mk-wrap', wrapId, encryptOaep(key, importer.oaepHash, wrap));
    importer.destroy();
  });
  afterAll(() => {
    unit.close();
    made.remove();
  });

  describe.each(FILES)('$file', ({ file, hash, least }) => {
    const path = join(directory ?? '', 'wycheproof', `${file}_test.json`);
    const groups = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')).testGroups as Group[]) : [];
    const vectors = groups.flatMap((group) => group.tests.map((vector) => ({ group, vector })));
    const said = ({ result, label, msg }: Vector) => (result === 'valid' && label === '' ? msg : undefined);
    const wrong = (vector: Vector, answer: string | undefined) =>
      answer === said(vector) ? [] : [`tcId ${vector.tcId}: ${vector.comment}`];

    /** The private key of the group as the session object that a pair is. */
    const place = (session: Session, group: Group, use: 'decrypt' | 'unwrap'): Handle => {
      const kek = session.lib.C_CreateObject(session.handle, probeKek(value(wrap)));
      const blob = wrapKwp(wrap, hex(group.privateKeyPkcs8));
      return new Kwp(unit.token).unwrap(session, kek, blob, importPairToUse(use));
    };

    it('holds the vectors that are expected', () => expect(vectors.length).toBeGreaterThanOrEqual(least));

    it('raw RSA in the token and our decoder: each comes out as said, and a message with a label does not', () => {
      const failures = vectors.flatMap(({ group, vector }) => {
        const ciphertext = hex(vector.ct);
        const modulus = hex(group.privateKey.modulus.replace(/^00/, ''));
        const possible = ciphertext.length === modulus.length && ciphertext.compare(modulus) < 0; // as key-import.ts asks
        const encoded = unit.token.pool.use('a vector', (session) => {
          const { lib, handle } = session;
          lib.C_DecryptInit(handle, { mechanism: MECHANISMS.CKM_RSA_X_509 }, place(session, group, 'decrypt'));
          const input = possible ? ciphertext : Buffer.alloc(modulus.length);
          return lib.C_Decrypt(handle, input, Buffer.alloc(modulus.length));
        });
        return wrong(vector, possible ? decodeOaep(encoded, hash)?.toString('hex') : undefined);
      });
      expect(failures).toEqual([]);
    });

    it('OAEP in the token, where it can: whatever is invalid, or has a label, does not open', () => {
      if (!(device.expected.oaepUnwrap as readonly string[]).includes(hash)) return;
      const failures = vectors
        .filter(({ vector }) => said(vector) === undefined)
        .flatMap(({ group, vector }) => {
          try {
            unit.token.pool.use('a vector', (session) =>
              unwrapOaep(session, place(session, group, 'unwrap'), hash, hex(vector.ct), checkKey()),
            );
            return [`tcId ${vector.tcId}: ${vector.comment}`];
          } catch {
            return []; // however the token refuses
          }
        });
      expect(failures).toEqual([]);
    });

    it('material of an external key: only what holds an AES-256 key comes in, and another length is told', async () => {
      const failures: string[] = [];
      for (const { group, vector } of vectors) {
        const message = hex(vector.msg);
        const opens = said(vector) !== undefined;
        const expected = opens && message.length === 32;
        const algorithm = hash === 'SHA-1' ? 'RSAES_OAEP_SHA_1' : 'RSAES_OAEP_SHA_256';
        const blob = wrapKwp(wrap, hex(group.privateKeyPkcs8));
        const imported = await unit.external.importKey(wrapId, blob, { algorithm, wrappedKey: hex(vector.ct) });
        // a token that opens OAEP itself takes no key of an odd length, and does not say why
        const isTold = device.expected.oaepFallback || [16, 24].includes(message.length);
        const refusal = opens && isTold ? 'MATERIAL_LENGTH' : 'IMPORT_INVALID';
        const right = expected
          ? imported.refusal === null && imported.blob.equals(wrapKw(wrap, message))
          : imported.refusal === refusal;
        if (!right) failures.push(`tcId ${vector.tcId}: ${vector.comment}: ${imported.refusal}`);
      }
      expect(failures).toEqual([]);
    });

    it('the whole import: only what holds an AES key comes in, and comes in right', async () => {
      const failures: string[] = [];
      for (const { group, vector } of vectors) {
        const message = hex(vector.msg);
        const isKey = [16, 24, 32].includes(message.length);
        const nonce = randomBytes(12);
        const sealed = sealNonce(isKey ? message : randomBytes(32), nonce);
        const blob = wrapKwp(wrap, hex(group.privateKeyPkcs8));
        const imported = await unit.importWithPair(wrapId, blob, {
          oaep: hash,
          wrappedKey: hex(vector.ct),
          nonce,
          ...sealed,
        });
        const expected = isKey && said(vector) !== undefined;
        const right = imported.valid === expected && (!expected || imported.blob.equals(wrapKw(wrap, message)));
        if (!right) failures.push(`tcId ${vector.tcId}: ${vector.comment}`);
      }
      expect(failures).toEqual([]);
    });
  });
});

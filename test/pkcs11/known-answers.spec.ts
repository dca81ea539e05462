import { createPrivateKey } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pkcs11js, { type Handle, type Template } from 'pkcs11js';
import { encryptAesGcm, openAesGcm } from '../../src/pkcs11/aes-gcm.js';
import { unwrapAesKw, wrapAesKw } from '../../src/pkcs11/aes-kw.js';
import { hmacSha256 } from '../../src/pkcs11/hmac.js';
import { unwrapOaep } from '../../src/pkcs11/rsa-oaep.js';
import type { Session } from '../../src/pkcs11/session-pool.js';
import { UnitToken } from '../../src/pkcs11/unit-token.js';
import { devices, type TestToken } from './devices.js';

const hex = (text: string) => Buffer.from(text, 'hex');

/** RFC 3394 section 4.6. */
const RFC_3394 = {
  kek: hex('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'),
  key: hex('00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f'),
  blob: hex('28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21'),
};

/** RFC 5649 section 6, both examples: a 192-bit KEK over 20 and over 7 bytes. */
const RFC_5649 = {
  kek: hex('5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8'),
  twenty: {
    key: hex('c37b7e6492584340bed12207808941155068f738'),
    blob: hex('138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a'),
  },
  seven: { key: hex('466f7250617369'), blob: hex('afbeb0f07dfbf5419200f2ccb50bb24f') },
};

/** "The Galois/Counter Mode of Operation" (McGrew, Viega), as submitted to NIST, test case 16: AES-256 with AAD. */
const GCM = {
  key: hex('feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308'),
  iv: hex('cafebabefacedbaddecaf888'),
  aad: hex('feedfacedeadbeeffeedfacedeadbeefabaddad2'),
  plaintext: hex(
    'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72' +
      '1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
  ),
  sealed: hex(
    '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa' +
      '8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662' +
      '76fc6ece0f4e1768cddf8853bb2d551b',
  ),
};

/** RFC 4231, the test cases with keys of 32 bytes or more; SoftHSM takes no shorter ones. */
const RFC_4231 = [
  {
    key: Buffer.alloc(131, 0xaa), // section 4.7
    data: Buffer.from('Test Using Larger Than Block-Size Key - Hash Key First'),
    mac: hex('60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54'),
  },
  {
    key: Buffer.alloc(131, 0xaa), // section 4.8
    data: Buffer.from(
      'This is a test using a larger than block-size key and a larger than block-size data. ' +
        'The key needs to be hashed before being used by the HMAC algorithm.',
    ),
    mac: hex('9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2'),
  },
];

/** Templates of the tests alone: keys of known value, which can be read back. */
const readable = (keyType: number, ...uses: number[]): Template => [
  { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_SECRET_KEY },
  { type: pkcs11js.CKA_KEY_TYPE, value: keyType },
  { type: pkcs11js.CKA_TOKEN, value: false },
  { type: pkcs11js.CKA_PRIVATE, value: true },
  { type: pkcs11js.CKA_SENSITIVE, value: false },
  { type: pkcs11js.CKA_EXTRACTABLE, value: true },
  ...uses.map((type) => ({ type, value: true })),
];
/** NSS keeps no longer secret key. */
const LONGEST_SECRET = 256;

const GENERIC = readable(pkcs11js.CKK_GENERIC_SECRET, pkcs11js.CKA_SIGN);

describe.each(devices)('$name computes what the standards print', (device) => {
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

  /** Each attempt has a session of its own, as in the product; the keys it makes end with it. */
  const attempt = <T>(work: (session: Session) => T): T =>
    unit.token.pool.use('known answer', (session) => {
      const result = work(session);
      return result;
    });
  const place = (session: Session, value: Buffer, template: Template): Handle =>
    session.lib.C_CreateObject(session.handle, [...template, { type: pkcs11js.CKA_VALUE, value }]);
  const plainValue = ({ lib, handle }: Session, key: Handle): Buffer =>
    lib.C_GetAttributeValue(handle, key, [{ type: pkcs11js.CKA_VALUE }])[0]?.value ?? Buffer.alloc(0);
  const kek = (session: Session, value: Buffer) =>
    place(session, value, readable(pkcs11js.CKK_AES, pkcs11js.CKA_WRAP, pkcs11js.CKA_UNWRAP));
  const aes = (session: Session, value: Buffer) =>
    place(session, value, readable(pkcs11js.CKK_AES, pkcs11js.CKA_ENCRYPT, pkcs11js.CKA_DECRYPT));
  const kwp = () => ({ mechanism: device.expected.kwp ?? 0 });

  it('AES-KW: RFC 3394 section 4.6', () => {
    attempt((session) => {
      const wrapping = kek(session, RFC_3394.kek);
      const key = place(session, RFC_3394.key, GENERIC);
      expect(wrapAesKw(session, wrapping, key, 32)).toEqual(RFC_3394.blob);
      expect(plainValue(session, unwrapAesKw(session, wrapping, RFC_3394.blob, GENERIC))).toEqual(RFC_3394.key);
    });
  });
  it('AES-KWP: RFC 5649 section 6 opens; SoftHSM pads what it wraps to 8 bytes first, so only lengths that need none agree', () => {
    attempt(({ lib, handle }) => {
      const session = { lib, handle };
      const wrapping = kek(session, RFC_5649.kek);
      for (const { key, blob } of [RFC_5649.twenty, RFC_5649.seven]) {
        const opened = plainValue(session, lib.C_UnwrapKey(handle, kwp(), wrapping, blob, GENERIC));
        expect(opened.subarray(0, key.length)).toEqual(key);
        expect(opened.subarray(key.length).every((byte) => byte === 0)).toBe(true);
      }
    });
  });
  it('AES-256-GCM: test case 16 of the GCM specification', () => {
    attempt((session) => {
      const key = aes(session, GCM.key);
      expect(encryptAesGcm(session, key, GCM.iv, GCM.plaintext, GCM.aad)).toEqual(GCM.sealed);
      expect(openAesGcm(session, key, Buffer.concat([GCM.iv, GCM.sealed]), GCM.aad)).toEqual(GCM.plaintext);
    });
  });
  it.each(RFC_4231)('HMAC-SHA-256: RFC 4231, $data', ({ key, data, mac }) => {
    attempt((session) => expect(hmacSha256(session, place(session, key, GENERIC), data)).toEqual(mac));
  });

  const oaepHash = () => device.expected.oaepUnwrap[0] ?? 'SHA-1';
  const rsaPrivateKey = (session: Session, pkcs8: Buffer): Handle => {
    const jwk = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }).export({ format: 'jwk' });
    const part = (name: 'n' | 'e' | 'd' | 'p' | 'q' | 'dp' | 'dq' | 'qi') => Buffer.from(jwk[name] ?? '', 'base64url');
    const parts = {
      [pkcs11js.CKA_MODULUS]: part('n'),
      [pkcs11js.CKA_PUBLIC_EXPONENT]: part('e'),
      [pkcs11js.CKA_PRIVATE_EXPONENT]: part('d'),
      [pkcs11js.CKA_PRIME_1]: part('p'),
      [pkcs11js.CKA_PRIME_2]: part('q'),
      [pkcs11js.CKA_EXPONENT_1]: part('dp'),
      [pkcs11js.CKA_EXPONENT_2]: part('dq'),
      [pkcs11js.CKA_COEFFICIENT]: part('qi'),
    };
    return session.lib.C_CreateObject(session.handle, [
      { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_PRIVATE_KEY },
      { type: pkcs11js.CKA_KEY_TYPE, value: pkcs11js.CKK_RSA },
      { type: pkcs11js.CKA_TOKEN, value: false },
      { type: pkcs11js.CKA_PRIVATE, value: true },
      { type: pkcs11js.CKA_SENSITIVE, value: true },
      { type: pkcs11js.CKA_UNWRAP, value: true },
      ...Object.entries(parts).map(([type, value]) => ({ type: Number(type), value })),
    ]);
  };

  const vectors = process.env.KEYSTEAD_VECTORS_DIR;
  const wycheproof = vectors && existsSync(vectors) ? describe : describe.skip;

  wycheproof('Wycheproof', () => {
    interface Vector {
      tcId: number;
      comment: string;
      flags: string[];
      result: 'valid' | 'invalid' | 'acceptable';
      key: string;
      msg: string;
      ct: string;
      iv: string;
      aad: string;
      tag: string;
      label: string;
    }
    interface Group {
      ivSize?: number;
      keySize?: number;
      tagSize?: number;
      privateKeyPkcs8?: string;
      tests: Vector[];
    }
    const groups = (name: string): Group[] =>
      JSON.parse(readFileSync(join(vectors ?? '', 'wycheproof', `${name}_test.json`), 'utf8')).testGroups as Group[];

    /** Runs each vector; a valid one must come out as said, an invalid one must not. */
    const runAll = (
      tests: readonly Vector[],
      minimum: number,
      matches: (vector: Vector, session: Session) => boolean,
    ) => {
      const wrong = tests.flatMap((vector) => {
        let passed: boolean;
        try {
          passed = attempt((session) => matches(vector, session));
        } catch {
          passed = false; // however the token refuses
        }
        return passed === (vector.result === 'valid') ? [] : [`tcId ${vector.tcId}: ${vector.comment}`];
      });
      expect(wrong).toEqual([]);
      expect(tests.length).toBeGreaterThanOrEqual(minimum);
    };

    it('aes_gcm, those with our IV and tag length and something to encrypt under a context', () => {
      const tests = groups('aes_gcm')
        .filter(({ ivSize, tagSize }) => ivSize === 96 && tagSize === 128)
        .flatMap((group) => group.tests)
        .filter(({ msg, aad }) => msg !== '' && aad !== '');
      runAll(tests, 40, ({ key, iv, aad, msg, ct, tag }, session) => {
        const opened = openAesGcm(session, aes(session, hex(key)), hex(iv + ct + tag), hex(aad));
        return opened.equals(hex(msg));
      });
    });
    it('aes_wrap', () => {
      const tests = groups('aes_wrap')
        .flatMap((group) => group.tests)
        .filter(({ result, msg }) => result !== 'acceptable' && hex(msg).length <= LONGEST_SECRET);
      runAll(tests, 150, ({ key, msg, ct }, session) =>
        plainValue(session, unwrapAesKw(session, kek(session, hex(key)), hex(ct), GENERIC)).equals(hex(msg)),
      );
    });
    it('aes_kwp, those of whole 8-byte blocks', () => {
      const tests = groups('aes_kwp')
        .flatMap((group) => group.tests)
        .filter(({ msg }) => hex(msg).length % 8 === 0 && msg !== '' && hex(msg).length <= LONGEST_SECRET);
      runAll(tests, 60, ({ key, msg, ct }, session) => {
        const { lib, handle } = session;
        const opened = lib.C_UnwrapKey(handle, kwp(), kek(session, hex(key)), hex(ct), GENERIC);
        return plainValue(session, opened).equals(hex(msg));
      });
    });
    it('hmac_sha256, those with whole tags and keys of 32 bytes or more', () => {
      const tests = groups('hmac_sha256')
        .filter(({ keySize, tagSize }) => (keySize ?? 0) >= 256 && tagSize === 256)
        .flatMap((group) => group.tests)
        .filter(({ msg }) => msg !== '');
      runAll(tests, 50, ({ key, msg, tag }, session) =>
        hmacSha256(session, place(session, hex(key), GENERIC), hex(msg)).equals(hex(tag)),
      );
    });
    it('rsa_oaep, those without a label', () => {
      const [hash, file] =
        oaepHash() === 'SHA-1'
          ? (['SHA-1', 'rsa_oaep_2048_sha1_mgf1sha1'] as const)
          : (['SHA-256', 'rsa_oaep_2048_sha256_mgf1sha256'] as const);
      for (const { privateKeyPkcs8, tests } of groups(file)) {
        const unlabelled = tests.filter(({ label, msg }) => label === '' && msg !== '');
        runAll(unlabelled, 20, ({ msg, ct }, session) => {
          const key = rsaPrivateKey(session, hex(privateKeyPkcs8 ?? ''));
          return plainValue(session, unwrapOaep(session, key, hash, hex(ct), GENERIC)).equals(hex(msg));
        });
      }
    });
  });
});

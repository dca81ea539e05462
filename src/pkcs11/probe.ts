import { createCipheriv, createPublicKey, randomBytes, verify } from 'node:crypto';
import pkcs11js, { type Handle } from 'pkcs11js';
import { encryptAesGcm, openAesGcm } from './aes-gcm.js';
import { unwrapAesKw, wrapAesKw } from './aes-kw.js';
import type { Capabilities } from './capabilities.js';
import { signEs256, spkiOfPoint } from './ecdsa.js';
import { hmacSha256 } from './hmac.js';
import { WRAPPED_KEY as KW } from './known-answers.js';
import { AES_256_BYTES, IV_BYTES, KWP_CANDIDATES, MECHANISMS, TAG_BYTES } from './mechanisms.js';
import { opensKeysInside } from './oaep-import.js';
import { attribute, destroyAll, theOne } from './objects.js';
import { ProbeBench } from './probe-bench.js';
import { signingKinds } from './probe-signing.js';
import type { Session } from './session-pool.js';
import * as templates from './templates.js';
import type { UnitToken } from './unit-token.js';

/** Modules that Keystead's own tests run on, by what their token says of itself. Every other is "unverified". */
const TESTED_MODULES = [
  { model: 'SoftHSM v2', firmware: '2.6' },
  { model: 'NSS 3', firmware: '0.0' },
] as const;

/** RFC 4231 section 4.7, test case 6. */
const HMAC = {
  key: Buffer.alloc(131, 0xaa),
  data: Buffer.from('Test Using Larger Than Block-Size Key - Hash Key First'),
  mac: Buffer.from('60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54', 'hex'),
};

/**
 * What the token can do, by doing it: mechanism lists lie, and one number means two things on two modules. Everything made
 * here is gone afterwards. Throws only when the token is lost or makes no RSA pair at all.
 */
export function probeCapabilities(unit: UnitToken): Promise<Capabilities> {
  return ProbeBench.run(unit.token, (bench) => {
    const { model, firmware } = unit.info();
    const needed = tryWhatIsNeeded(bench);
    return {
      module: unit.module,
      verified: TESTED_MODULES.some((tested) => tested.model === model && tested.firmware === firmware),
      missing: Object.entries(needed).flatMap(([name, can]) => (can ? [] : [name])),
      aesKw: needed['AES-KW (RFC 3394)'],
      aesGcm: needed['AES-256-GCM'],
      hmacSha256: needed['HMAC-SHA-256'],
      ecP256Sign: needed['ECDSA P-256'],
      oaepUnwrap: bench.oaepHashes,
      oaepFallback: !bench.does((session) => opensKeysInside(model, session, bench.pair)),
      kwp: KWP_CANDIDATES.find((mechanism) => bench.does(() => wrapsPadded(bench, mechanism))) ?? null,
      signing: signingKinds(bench),
      unwrapWithValueLen: bench.does(() => unwrapsWithLength(bench)),
      dataObjects: bench.does((session) => keepsData(session)),
      copyToSession: bench.does((session) => copies(bench, session)),
      refusesWrapOfUnextractable: !bench.does(() => wrapsUnextractable(bench)),
    };
  });
}

/** The names are what an operator reads when a token is refused. */
function tryWhatIsNeeded(bench: ProbeBench) {
  return {
    'RSA-OAEP unwrap into a non-extractable key': bench.does(() => hidesWhatItUnwraps(bench)),
    'AES-KW (RFC 3394)': bench.does((session) => wraps(bench, session)),
    'AES-256-GCM': gcm(bench),
    'HMAC-SHA-256': bench.does((session) => hmacs(bench, session)),
    'one-shot extractable session keys': bench.does((session) => makesOneShotKeys(bench, session)),
    'ECDSA P-256': bench.does((session) => signs(session)),
  };
}

function hidesWhatItUnwraps(bench: ProbeBench): boolean {
  const key = bench.place(KW.key, templates.rootKeyToUse());
  return attribute(bench.home, key, pkcs11js.CKA_VALUE) === undefined;
}

function wraps(bench: ProbeBench, session: Session): boolean {
  const kek = bench.place(KW.kek, templates.probeKek());
  const key = bench.place(KW.key, templates.probeExtractable());
  if (!wrapAesKw(bench.home, kek, key, KW.key.length).equals(KW.blob)) return false;
  const opened = unwrapAesKw(bench.home, kek, KW.blob, templates.checkKey());
  const placed = bench.place(KW.key, templates.checkKey());
  return hmacSha256(session, opened, HMAC.data).equals(hmacSha256(session, placed, HMAC.data));
}

function gcm(bench: ProbeBench): Capabilities['aesGcm'] {
  const asked = randomBytes(IV_BYTES);
  const used = Buffer.from(asked);
  const key = randomBytes(AES_256_BYTES);
  const works = bench.does((session) => seals(session, bench.place(key, templates.rootKeyToUse()), key, used));
  if (!works) return null;
  return used.equals(asked) ? 'caller-iv' : 'token-iv';
}

/** The token seals as OpenSSL does, and opens it again. */
function seals(session: Session, handle: Handle, key: Buffer, iv: Buffer): boolean {
  const aad = Buffer.from('keystead/probe/v1');
  const sealed = encryptAesGcm(session, handle, iv, KW.key, aad);
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES }).setAAD(aad);
  const expected = Buffer.concat([cipher.update(KW.key), cipher.final(), cipher.getAuthTag()]);
  return sealed.equals(expected) && openAesGcm(session, handle, Buffer.concat([iv, sealed]), aad).equals(KW.key);
}

function hmacs(bench: ProbeBench, session: Session): boolean {
  return hmacSha256(session, bench.place(HMAC.key, templates.checkKey()), HMAC.data).equals(HMAC.mac);
}

function makesOneShotKeys(bench: ProbeBench, { lib, handle }: Session): boolean {
  const kek = bench.place(KW.kek, templates.probeKek());
  const key = lib.C_GenerateKey(handle, { mechanism: MECHANISMS.CKM_AES_KEY_GEN }, templates.rootKeyToGenerate());
  const blob = wrapAesKw(bench.home, kek, key, AES_256_BYTES);
  lib.C_DestroyObject(handle, key);
  unwrapAesKw(bench.home, kek, blob, templates.rootKeyToUse());
  return true;
}

function signs(session: Session): boolean {
  const { publicKey, privateKey } = templates.receiptKeyPair(randomBytes(16), false);
  const mechanism = { mechanism: MECHANISMS.CKM_EC_KEY_PAIR_GEN };
  const pair = session.lib.C_GenerateKeyPair(session.handle, mechanism, publicKey, privateKey);
  const signature = signEs256(session, pair.privateKey, HMAC.data);
  const key = createPublicKey({ key: spkiOfPoint(session, pair.publicKey), format: 'der', type: 'spki' });
  session.lib.C_DestroyObject(session.handle, pair.privateKey);
  session.lib.C_DestroyObject(session.handle, pair.publicKey);
  return verify('sha256', HMAC.data, { key, dsaEncoding: 'ieee-p1363' }, signature);
}

function wrapsPadded(bench: ProbeBench, mechanism: number): boolean {
  const kek = bench.place(KW.kek, templates.probeKek());
  const key = bench.place(KW.key, templates.probeExtractable());
  return bench.home.lib.C_WrapKey(bench.home.handle, { mechanism }, kek, key, Buffer.alloc(64)).equals(KW.padded);
}

function unwrapsWithLength(bench: ProbeBench): boolean {
  const kek = bench.place(KW.kek, templates.probeKek());
  unwrapAesKw(bench.home, kek, KW.blob, [...templates.rootKeyToUse(), templates.valueLength(KW.key.length)]);
  return true;
}

function wrapsUnextractable(bench: ProbeBench): boolean {
  const kek = bench.place(KW.kek, templates.probeKek());
  wrapAesKw(bench.home, kek, bench.place(KW.key, templates.checkKey()), KW.key.length);
  return true;
}

function keepsData(session: Session): boolean {
  const id = randomBytes(16);
  try {
    session.lib.C_CreateObject(session.handle, templates.data('probe', id, HMAC.data));
    return true;
  } finally {
    destroyAll(session, id);
  }
}

function copies({ home }: ProbeBench, session: Session): boolean {
  const id = randomBytes(16);
  const mechanism = { mechanism: MECHANISMS.CKM_GENERIC_SECRET_KEY_GEN };
  try {
    home.lib.C_GenerateKey(home.handle, mechanism, templates.unitMac(id));
    const key = theOne(session, pkcs11js.CKO_SECRET_KEY, id);
    const copy = home.lib.C_CopyObject(home.handle, key, templates.SESSION_COPY);
    return hmacSha256(session, copy, HMAC.data).equals(hmacSha256(session, key, HMAC.data));
  } finally {
    destroyAll(session, id);
  }
}

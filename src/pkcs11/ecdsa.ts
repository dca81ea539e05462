import { createHash } from 'node:crypto';
import pkcs11js, { type Handle } from 'pkcs11js';
import { KeysteadError, needs } from '../shared/errors.js';
import { derElement } from './der.js';
import { MECHANISMS } from './mechanisms.js';
import { attribute } from './objects.js';
import type { Session } from './session-pool.js';
import { P256_PARAMETERS } from './templates.js';

const POINT_BYTES = 65;
const SIGNATURE_BYTES = 64;
const UNCOMPRESSED = 0x04;

/** SubjectPublicKeyInfo of P-256 (RFC 5480) up to the point: SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING. */
const SPKI_HEAD = Buffer.concat([
  Buffer.from('3059301306072a8648ce3d0201', 'hex'),
  P256_PARAMETERS,
  Buffer.from('034200', 'hex'),
]);

/** ECDSA over SHA-256 with a P-256 key (FIPS 186-5): r ‖ s, 64 bytes, as JWS ES256 wants it (RFC 7518 section 3.4). */
export function signEs256({ lib, handle }: Session, key: Handle, data: Buffer): Buffer {
  lib.C_SignInit(handle, { mechanism: MECHANISMS.CKM_ECDSA }, key);
  const digest = createHash('sha256').update(data).digest();
  const signature = lib.C_Sign(handle, digest, Buffer.alloc(SIGNATURE_BYTES));
  needs(signature.length === SIGNATURE_BYTES, 'TOKEN_UNSUITABLE', 'the token does not give P-256 signatures as r ‖ s');
  return signature;
}

/** The SPKI DER (91 bytes) of a P-256 public key object. UNIT_FAULT when it holds no such point. */
export function spkiOfPoint(session: Session, publicKey: Handle): Buffer {
  const point = attribute(session, publicKey, pkcs11js.CKA_EC_POINT);
  if (!point) throw new KeysteadError('UNIT_FAULT', 'the public key on the token has no point; it may be torn');
  return Buffer.concat([SPKI_HEAD, uncompressed(point)]);
}

/** CKA_EC_POINT is the DER OCTET STRING of the point (PKCS#11 2.40); some modules give the bare point. */
function uncompressed(point: Buffer): Buffer {
  const bare = point.length === POINT_BYTES ? point : derElement(point).value;
  needs(
    bare.length === POINT_BYTES && bare[0] === UNCOMPRESSED,
    'UNIT_FAULT',
    'the public key on the token is not an uncompressed P-256 point',
  );
  return bare;
}

import type { Handle } from 'pkcs11js';
import { HMAC_BYTES, MECHANISMS } from './mechanisms.js';
import type { Session } from './session-pool.js';

/** HMAC-SHA-256 (RFC 2104, FIPS 198-1): 32 bytes. */
export function hmacSha256({ lib, handle }: Session, key: Handle, data: Buffer): Buffer {
  lib.C_SignInit(handle, { mechanism: MECHANISMS.CKM_SHA256_HMAC }, key);
  return lib.C_Sign(handle, data, Buffer.alloc(HMAC_BYTES));
}

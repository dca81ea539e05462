import pkcs11js, { type Handle, type Template } from 'pkcs11js';
import { ckrOf } from './ckr.js';
import { KW_OVERHEAD_BYTES, MECHANISMS } from './mechanisms.js';
import type { Session } from './session-pool.js';
import { valueLength } from './templates.js';

const KW = { mechanism: MECHANISMS.CKM_AES_KEY_WRAP };

/** AES Key Wrap (RFC 3394, KW of NIST SP 800-38F) of a key of `bytes` bytes: 8 bytes more than the key. */
export function wrapAesKw({ lib, handle }: Session, wrappingKey: Handle, key: Handle, bytes: number): Buffer {
  return lib.C_WrapKey(handle, KW, wrappingKey, key, Buffer.alloc(bytes + KW_OVERHEAD_BYTES));
}

/**
 * Opens an RFC 3394 blob to a new object. What a bad blob gives depends on the module (ckr.ts, ambiguous).
 * Some modules (Luna before firmware 7.9.3) want the length of the key said, which SoftHSM refuses.
 */
export function unwrapAesKw({ lib, handle }: Session, wrappingKey: Handle, blob: Buffer, template: Template): Handle {
  try {
    return lib.C_UnwrapKey(handle, KW, wrappingKey, blob, template);
  } catch (cause) {
    if (ckrOf(cause) !== pkcs11js.CKR_TEMPLATE_INCOMPLETE) throw cause;
    const length = valueLength(blob.length - KW_OVERHEAD_BYTES);
    return lib.C_UnwrapKey(handle, KW, wrappingKey, blob, [...template, length]);
  }
}

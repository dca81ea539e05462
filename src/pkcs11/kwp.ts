import type { Handle, Template } from 'pkcs11js';
import { KeysteadError } from '../shared/errors.js';
import { ckrClass } from './ckr.js';
import { WRAPPED_KEY } from './known-answers.js';
import { KWP_CANDIDATES } from './mechanisms.js';
import { forgetOpenSslErrors } from './openssl-errors.js';
import type { Session } from './session-pool.js';
import { probeExtractable, probeKek, value } from './templates.js';
import type { Token } from './token.js';

/** The PKCS#8 of an RSA-4096 private key has about 2,380 bytes. */
const MOST_BYTES = 4096;

/**
 * AES Key Wrap with Padding (RFC 5649, KWP of NIST SP 800-38F), for private keys. Its mechanism has different numbers on
 * different modules, so which one it is follows from a known answer, once per token.
 */
export class Kwp {
  #mechanism: number | undefined;

  constructor(private readonly token: Token) {}

  /** The private key as PKCS#8, wrapped; SoftHSM fills it up with zeros to whole blocks of 8 bytes first. */
  wrap({ lib, handle }: Session, wrappingKey: Handle, key: Handle): Buffer {
    return lib.C_WrapKey(handle, { mechanism: this.#number() }, wrappingKey, key, Buffer.alloc(MOST_BYTES));
  }

  /** Opens a blob to a new object. What a bad blob gives depends on the module (ckr.ts, ambiguous). */
  unwrap({ lib, handle }: Session, wrappingKey: Handle, blob: Buffer, template: Template): Handle {
    return lib.C_UnwrapKey(handle, { mechanism: this.#number() }, wrappingKey, blob, template);
  }

  #number(): number {
    this.#mechanism ??= KWP_CANDIDATES.find((mechanism) => this.#isRfc5649(mechanism));
    if (this.#mechanism !== undefined) return this.#mechanism;
    throw new KeysteadError('TOKEN_UNSUITABLE', 'the token has no AES-KWP (RFC 5649), so it keeps no private keys');
  }

  #isRfc5649(mechanism: number): boolean {
    const { kek, key, padded } = WRAPPED_KEY;
    return this.token.atGuard('finding the mechanism of AES-KWP', ({ lib, handle }) => {
      const wrapping = lib.C_CreateObject(handle, probeKek(value(kek)));
      const wrapped = lib.C_CreateObject(handle, probeExtractable(value(key)));
      this.token.sessionObjectsMade += 2;
      try {
        return lib.C_WrapKey(handle, { mechanism }, wrapping, wrapped, Buffer.alloc(64)).equals(padded);
      } catch (cause) {
        forgetOpenSslErrors();
        if (ckrClass(cause) === 'unsuitable') return false;
        throw cause;
      } finally {
        this.token.discard(wrapping);
        this.token.discard(wrapped);
      }
    });
  }
}

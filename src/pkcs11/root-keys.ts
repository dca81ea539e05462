import type { Handle } from 'pkcs11js';
import { KeysteadError, needs } from '../shared/errors.js';
import { RecentMap } from '../shared/recent-map.js';
import { unwrapAesKw, wrapAesKw } from './aes-kw.js';
import { AES_256_BYTES, KW_OVERHEAD_BYTES, MECHANISMS } from './mechanisms.js';
import type { ResidentKeys } from './resident-keys.js';
import { rootKeyToGenerate, rootKeyToUse } from './templates.js';
import type { Token } from './token.js';

/** Unwrapped root keys kept at most; each costs about 10 KB in SoftHSM, and unwrapping again 30 µs and a leak of 240 B. */
const CAPACITY = 512;
const BLOB_BYTES: readonly number[] = [16, 24, AES_256_BYTES].map((key) => key + KW_OVERHEAD_BYTES);

/** Root keys as non-extractable session objects, the least recently used dropped first. */
export class RootKeys {
  readonly #handles: RecentMap<Handle>;

  constructor(
    private readonly token: Token,
    private readonly resident: Pick<ResidentKeys, 'of'>,
    capacity = CAPACITY,
  ) {
    this.#handles = new RecentMap(capacity, (handle) => token.discard(handle));
  }

  /** The key in the blob, opened under this mk-wrap. Errors of C_UnwrapKey come as they are (unit-token.ts judges them). */
  of(mkWrapId: Buffer, blob: Buffer): Handle {
    const name = mkWrapId.toString('latin1') + blob.toString('latin1'); // both wrapped or random: nothing to hide
    return this.#handles.of(name, () => this.open(this.resident.of(mkWrapId), blob));
  }

  /** Unwraps without keeping; the caller discards the handle. KEY_ROW_INVALID when the blob has no possible length. */
  open(mkWrap: Handle, blob: Buffer): Handle {
    needs(
      BLOB_BYTES.includes(blob.length),
      'KEY_ROW_INVALID',
      `a wrapped AES key has ${BLOB_BYTES.join(', ')} bytes, not ${blob.length}`,
    );
    return this.token.make('unwrapping a root key', (guard) => unwrapAesKw(guard, mkWrap, blob, rootKeyToUse()));
  }

  /** A new AES-256 key, wrapped under this mk-wrap: 40 bytes. The key itself is gone when this returns. */
  generate(mkWrapId: Buffer): Buffer {
    const mkWrap = this.resident.of(mkWrapId);
    const mechanism = { mechanism: MECHANISMS.CKM_AES_KEY_GEN };
    const key = this.token.make('generating a root key', ({ lib, handle }) =>
      lib.C_GenerateKey(handle, mechanism, rootKeyToGenerate()),
    );
    try {
      const blob = this.token.atGuard('wrapping a root key', (guard) => wrapAesKw(guard, mkWrap, key, AES_256_BYTES));
      if (blob.length === AES_256_BYTES + KW_OVERHEAD_BYTES) return blob;
      throw new KeysteadError('TOKEN_UNSUITABLE', `AES-KW of the token gave ${blob.length} bytes; it is not RFC 3394`);
    } finally {
      this.token.discard(key);
    }
  }

  /** Drops every root key, for instance because their mk-wrap was destroyed. */
  forget(): void {
    this.#handles.clear();
  }
}

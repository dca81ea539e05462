import { randomBytes } from 'node:crypto';
import type { Handle } from 'pkcs11js';
import { KeysteadError } from '../shared/errors.js';
import { Secret } from '../shared/secret.js';
import { wrapAesKw } from './aes-kw.js';
import { ckrClass } from './ckr.js';
import type { ImportPairs } from './import-pairs.js';
import { AES_256_BYTES, AES_BYTES, IV_BYTES, KW_OVERHEAD_BYTES, TAG_BYTES } from './mechanisms.js';
import { decodeOaepKey } from './oaep-decode.js';
import {
  assertPairWorks,
  isUniform,
  isUniformInside,
  opensNonce,
  opensNonceInside,
  unwrapKeyInside,
} from './oaep-import.js';
import { inRange, ofSize, rawRsa } from './raw-rsa.js';
import type { ResidentKeys } from './resident-keys.js';
import type { RsaPair } from './rsa-oaep.js';
import type { SealedKey } from './sealed-key.js';
import { materialToWrap } from './templates.js';
import type { Token } from './token.js';

/** A key under mk-wrap (RFC 3394: 8 bytes more), and whether it is what the client meant. */
export interface Imported {
  readonly blob: Buffer;
  readonly valid: boolean;
}

/**
 * Brings keys of clients under mk-wrap. What a client encrypted to an import pair goes the whole way whatever is wrong with
 * it: RSA, OAEP, nonce, wrap; after a failure with a random value in place of what could not be had. Only the end says
 * whether it was valid, and not why: an answer that tells the failures apart, in words or in time, is an oracle that decrypts
 * what others sent.
 */
export class KeyImport {
  constructor(
    private readonly token: Token,
    private readonly resident: ResidentKeys,
    private readonly pairs: ImportPairs,
  ) {}

  /** Wraps 16, 24 or 32 bytes of key material. */
  wrapMaterial(mkWrapId: Buffer, material: Buffer): Buffer {
    const key = this.token.make('bringing in key material', ({ lib, handle }) =>
      lib.C_CreateObject(handle, materialToWrap(material)),
    );
    return this.wrapAndDiscard(mkWrapId, key);
  }

  /** The caller keeps `sealed` until this settles: the thread pool reads out of its buffers. */
  async open(mkWrapId: Buffer, pairBlob: Buffer, sealed: SealedKey): Promise<Imported> {
    const pair = this.pairs.of(mkWrapId, pairBlob);
    const { proper, wellFormed } = properSizes(sealed, pair);
    const { blob, valid } = this.pairs.inside
      ? this.#openInside(mkWrapId, pair, proper)
      : await this.#openOutside(mkWrapId, pair, proper);
    return { blob, valid: valid && wellFormed };
  }

  /** The key never leaves the token. */
  #openInside(mkWrapId: Buffer, pair: RsaPair, sealed: SealedKey): Imported {
    this.token.sessionObjectsMade += 2;
    const { key, valid: opened } = this.token.atGuard('opening an imported key', (guard) =>
      unwrapKeyInside(guard, pair, sealed.oaep, sealed.wrappedKey),
    );
    const proved = this.#opensNonceInside(key, sealed);
    const blob = this.wrapAndDiscard(mkWrapId, key);
    const valid = opened && proved && !isUniformInside(blob.length - KW_OVERHEAD_BYTES, sealed);
    if (!valid) {
      this.token.sessionObjectsMade += 1;
      this.token.atGuard('proving an import pair', (guard) => assertPairWorks(guard, pair, sealed.oaep));
    }
    return { blob, valid };
  }

  /** Raw RSA in the token, the rest in this process. An error of the RSA is the unit's: its input is in range. */
  async #openOutside(mkWrapId: Buffer, pair: RsaPair, sealed: SealedKey): Promise<Imported> {
    using encoded = new Secret(await rawRsa(this.token, pair, sealed.wrappedKey));
    using substitute = new Secret(randomBytes(AES_256_BYTES));
    const decoded = decodeOaepKey(encoded.bytes, sealed.oaep, substitute.bytes);
    using key = new Secret(decoded.key);
    const proved = opensNonce(key.bytes, sealed);
    const blob = this.wrapMaterial(mkWrapId, key.bytes);
    return { blob, valid: decoded.valid && proved && !isUniform(key.bytes) };
  }

  #opensNonceInside(key: Handle, sealed: SealedKey): boolean {
    try {
      return this.token.pool.use('decrypting a nonce', (session) => opensNonceInside(session, key, sealed));
    } catch (cause) {
      const kind = ckrClass(cause);
      if (kind === 'data' || kind === 'ambiguous') return false; // the pair is proved before the client is blamed
      throw cause;
    }
  }

  /** Wraps a session object and destroys it. */
  wrapAndDiscard(mkWrapId: Buffer, key: Handle): Buffer {
    try {
      const mkWrap = this.resident.of(mkWrapId);
      const blob = this.token.atGuard('wrapping a key', (guard) => wrapAesKw(guard, mkWrap, key, AES_256_BYTES));
      if (AES_BYTES.includes(blob.length - KW_OVERHEAD_BYTES)) return blob;
      throw new KeysteadError('TOKEN_UNSUITABLE', `AES-KW of the token gave ${blob.length} bytes; it is not RFC 3394`);
    } finally {
      this.token.discard(key);
    }
  }
}

/** Every part in its one possible size; a part in another size is replaced by random bytes, and not well-formed. */
function properSizes(sealed: SealedKey, pair: RsaPair): { proper: SealedKey; wellFormed: boolean } {
  const wrappedKey = inRange(pair, sealed.wrappedKey);
  const encryptedNonce = ofSize(sealed.encryptedNonce, IV_BYTES + TAG_BYTES);
  const iv = ofSize(sealed.iv, IV_BYTES);
  const nonce = ofSize(sealed.nonce, IV_BYTES);
  return {
    proper: {
      oaep: sealed.oaep,
      wrappedKey: wrappedKey.input,
      encryptedNonce: encryptedNonce.part,
      iv: iv.part,
      nonce: nonce.part,
    },
    wellFormed: [wrappedKey, encryptedNonce, iv, nonce].every(({ fits }) => fits),
  };
}

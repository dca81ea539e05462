import { createCipheriv, createPublicKey, type KeyObject, randomBytes } from 'node:crypto';
import pkcs11js, { type Handle, type Template } from 'pkcs11js';
import { needs } from '../shared/errors.js';
import { Secret } from '../shared/secret.js';
import { ckrOf } from './ckr.js';
import { HandleCache } from './handle-cache.js';
import type { Kwp } from './kwp.js';
import { AES_256_BYTES } from './mechanisms.js';
import type { ReadPrivateKey } from './private-key.js';
import type { ResidentKeys } from './resident-keys.js';
import type { PrivateKeyAlgorithm } from './signing-algorithms.js';
import { nssPoint, privateKeyToSign, privateKeyToWrap, publicKeyToVerify, transportKey } from './signing-templates.js';
import type { Token } from './token.js';

/** Unwrapped halves kept at most, of each kind. */
const CAPACITY = 1024;
/** The PKCS#8 of a P-256 key without its public half has 67. */
const LEAST_BLOB_BYTES = 64;

/** A private key of a client's: its public half as SPKI DER, its private half under mk-wrap (RFC 5649). */
export interface PrivateKeyBlob {
  readonly algorithm: PrivateKeyAlgorithm;
  readonly publicKey: Buffer;
  readonly wrapped: Buffer;
}

/** RSA and EC keys of clients, as non-extractable session objects, the least recently used dropped first. */
export class SigningKeys {
  readonly #private: HandleCache;
  readonly #public: HandleCache;

  constructor(
    private readonly token: Token,
    private readonly resident: Pick<ResidentKeys, 'of'>,
    private readonly kwp: Kwp,
    capacity = CAPACITY,
  ) {
    this.#private = new HandleCache(token, capacity);
    this.#public = new HandleCache(token, capacity);
  }

  /**
   * The private half in the blob. Errors of C_UnwrapKey come as they are (external-keys.ts judges them); KEY_ROW_INVALID when
   * the blob has no possible length.
   */
  privateHalf(mkWrapId: Buffer, { algorithm, publicKey, wrapped }: PrivateKeyBlob): Handle {
    const possible = wrapped.length >= LEAST_BLOB_BYTES && wrapped.length % 8 === 0;
    needs(possible, 'KEY_ROW_INVALID', `a wrapped private key does not have ${wrapped.length} bytes`);
    return this.#private.of([Buffer.from(algorithm), mkWrapId, wrapped], () =>
      this.#unwrap(this.resident.of(mkWrapId), wrapped, privateKeyToSign(algorithm), publicKey),
    );
  }

  /** The public half, out of its SPKI DER. */
  publicHalf(spki: Buffer): Handle {
    return this.#public.of([spki], () => {
      const template = publicKeyToVerify(readSpki(spki));
      return this.token.make('bringing in a public key', ({ lib, handle }) => lib.C_CreateObject(handle, template));
    });
  }

  /**
   * Wraps a private key (PKCS#8 DER) under mk-wrap, RFC 5649. It goes into the token under a key of one use, since modules
   * read PKCS#8 in C_UnwrapKey only.
   */
  wrap(mkWrapId: Buffer, algorithm: PrivateKeyAlgorithm, { pkcs8, publicKey }: ReadPrivateKey): Buffer {
    using transport = new Secret(randomBytes(AES_256_BYTES));
    const sealed = sealKwp(transport.bytes, pkcs8.bytes);
    const opener = this.token.make('making a transport key', ({ lib, handle }) =>
      lib.C_CreateObject(handle, transportKey(transport.bytes)),
    );
    try {
      const key = this.#unwrap(opener, sealed, privateKeyToWrap(algorithm), publicKey);
      return this.#wrapAndDiscard(mkWrapId, key);
    } finally {
      this.token.discard(opener);
    }
  }

  /** Drops every key, for instance because their mk-wrap was destroyed. */
  forget(): void {
    this.#private.forget();
    this.#public.forget();
  }

  /** NSS wants the point of an EC key in an attribute of its own, which others do not know. */
  #unwrap(wrappingKey: Handle, blob: Buffer, template: Template, publicKey: Buffer): Handle {
    return this.token.make('unwrapping a private key', (guard) => {
      try {
        return this.kwp.unwrap(guard, wrappingKey, blob, template);
      } catch (cause) {
        if (ckrOf(cause) !== pkcs11js.CKR_TEMPLATE_INCOMPLETE) throw cause;
        return this.kwp.unwrap(guard, wrappingKey, blob, [...template, nssPoint(readSpki(publicKey))]);
      }
    });
  }

  #wrapAndDiscard(mkWrapId: Buffer, key: Handle): Buffer {
    try {
      const mkWrap = this.resident.of(mkWrapId);
      return this.token.atGuard('wrapping a private key', (guard) => this.kwp.wrap(guard, mkWrap, key));
    } finally {
      this.token.discard(key);
    }
  }
}

function readSpki(der: Buffer): KeyObject {
  return createPublicKey({ key: der, format: 'der', type: 'spki' });
}

/** AES-KWP, RFC 5649, outside the token. */
function sealKwp(key: Buffer, bytes: Buffer): Buffer {
  const cipher = createCipheriv('id-aes256-wrap-pad', key, Buffer.from('a65959a6', 'hex'));
  return Buffer.concat([cipher.update(bytes), cipher.final()]);
}

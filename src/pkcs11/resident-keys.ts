import pkcs11js, { type Handle } from 'pkcs11js';
import { KeysteadError } from '../shared/errors.js';
import { ckrClass } from './ckr.js';
import { findOne } from './objects.js';
import { SESSION_COPY } from './templates.js';
import type { Token } from './token.js';

/**
 * The token's secret keys in daily use, as session copies: a SoftHSM token object costs file I/O at each use, a copy none
 * (three times faster). The other side of it: copies go on working when the token has gone, so presence is asked of
 * Token.info and of `onToken`, never concluded from a successful encryption.
 */
export class ResidentKeys {
  readonly #copies = new Map<string, Handle>();
  #copyable = true;

  constructor(private readonly token: Token) {}

  /** A handle for the secret key of this id, good until `forget`. Throws like `onToken`. */
  of(id: Buffer): Handle {
    const name = id.toString('hex');
    const known = this.#copies.get(name);
    if (known) return known;
    const handle = this.#copy(this.onToken(id));
    this.#copies.set(name, handle);
    return handle;
  }

  /** The key on the token itself, found now. TOKEN_LOST when the token is gone, UNIT_FAULT when only the key is. */
  onToken(id: Buffer): Handle {
    const found = this.token.pool.use('looking for a key on the token', (session) =>
      findOne(session, pkcs11js.CKO_SECRET_KEY, id),
    );
    if (found) return found;
    this.token.info();
    throw new KeysteadError('UNIT_FAULT', `the token ${this.token.serial} holds no key ${id.toString('hex')}`);
  }

  /** Drops every copy, so that the next use finds its key on the token again. */
  forget(): void {
    if (this.#copyable) {
      for (const handle of this.#copies.values()) this.token.discard(handle);
    }
    this.#copies.clear();
  }

  #copy(key: Handle): Handle {
    if (!this.#copyable) return key;
    try {
      return this.token.make('copying a key to the session', ({ lib, handle }) =>
        lib.C_CopyObject(handle, key, SESSION_COPY),
      );
    } catch (cause) {
      if (ckrClass(cause) !== 'unsuitable') throw cause;
      this.#copyable = false; // this module cannot copy: its token objects serve, more slowly
      return key;
    }
  }
}

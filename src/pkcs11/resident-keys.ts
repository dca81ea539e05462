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
  readonly #handles = new Map<string, { readonly handle: Handle; readonly copied: boolean }>();

  constructor(private readonly token: Token) {}

  /** A handle for the secret key of this id, good until `forget`. Throws like `onToken`. */
  of(id: Buffer): Handle {
    const name = id.toString('hex');
    const known = this.#handles.get(name);
    if (known) return known.handle;
    const resident = this.#copy(this.onToken(id));
    this.#handles.set(name, resident);
    return resident.handle;
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
    for (const { handle, copied } of this.#handles.values()) if (copied) this.token.discard(handle);
    this.#handles.clear();
  }

  #copy(key: Handle): { handle: Handle; copied: boolean } {
    try {
      const handle = this.token.make('copying a key to the session', (guard) =>
        guard.lib.C_CopyObject(guard.handle, key, SESSION_COPY),
      );
      return { handle, copied: true };
    } catch (cause) {
      if (ckrClass(cause) !== 'unsuitable') throw cause;
      return { handle: key, copied: false }; // a module that cannot copy: the key on the token serves, more slowly
    }
  }
}

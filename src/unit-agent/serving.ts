import type { UnitToken } from '../pkcs11/unit-token.js';

/** A unit that serves: what an op of the crypto set needs of it, good until the op gives up the thread. */
export interface Serving {
  readonly token: UnitToken;
  readonly instance: string;
  /** CKA_ID of mk-wrap. */
  readonly wrapId: Buffer;
  /** CKA_ID of mk-mac. */
  readonly macId: Buffer;
}

/** Asked again after every await: by then the user may be gone, or the master key. Throws why the unit does not serve. */
export type Ready = () => Serving;

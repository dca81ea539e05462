import type { Key } from './key.entity.js';

/** Where a request takes place. `keyRingId` is the ring the client named, if it named one. */
export interface Place {
  readonly instanceId: string;
  readonly keyRingId?: string | undefined;
}

/** The key a request is about: its id or one of its aliases. */
export interface KeyTarget extends Place {
  readonly key: string;
  /** The key as it was at some moment since the request came, where it was asked for before it was known who asks. */
  readonly ahead?: Promise<Key | null> | undefined;
}

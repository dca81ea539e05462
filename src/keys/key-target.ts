/** Where a request takes place. `keyRingId` is the ring the client named, if it named one. */
export interface Place {
  readonly instanceId: string;
  readonly keyRingId?: string | undefined;
}

/** The key a request is about: its id or one of its aliases. */
export interface KeyTarget extends Place {
  readonly key: string;
}

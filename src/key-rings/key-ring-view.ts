/** The ring of every key that was put into no other; it always exists. */
export const DEFAULT_RING = 'default';

/** `default` has no dates. */
export interface KeyRingView {
  readonly id: string;
  readonly createdAt: Date | null;
  readonly createdBy: string | null;
}

import type { EntityManager } from 'typeorm';
import type { Caller } from '../access/caller.js';

/** What rings must know of the keys in them. The keys folder binds it. */
export abstract class RingContents {
  /** How many keys are in the ring, and how many of them are not destroyed. */
  abstract count(tx: EntityManager, instanceId: string, keyRingId: string): Promise<{ all: number; alive: number }>;
  /** Moves every key of the ring to `default`. */
  abstract moveToDefault(tx: EntityManager, by: Caller, instanceId: string, keyRingId: string): Promise<void>;
}

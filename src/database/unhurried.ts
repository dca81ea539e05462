import { setTimeout as after } from 'node:timers/promises';

/** Times as long as the piece took; less for work that has to keep up with others. */
const REST = 3;
/** However long it took: what hung a while is not late yet again. */
const LONGEST_REST_MS = 100;

/**
 * What the work gives, after a rest. For the pieces, of a few milliseconds each, of long work that nobody waits for: done
 * one after the other they would keep the event loop, and everybody who waits, for all of its time.
 */
export async function unhurried<T>(piece: () => Promise<T>, rest = REST): Promise<T> {
  const began = performance.now();
  try {
    return await piece();
  } finally {
    await after(Math.min(rest * (performance.now() - began), LONGEST_REST_MS));
  }
}

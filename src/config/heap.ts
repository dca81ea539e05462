import { setFlagsFromString } from 'node:v8';

/**
 * A major collection of V8's takes the processors from everybody for some 100 ms, and a request that meets it is late
 * (docs/performance.md). What serves requests lives long or dies young, so
 * - the heap may grow to five times of what the last collection left (some 50 MiB) before the next one begins;
 * - one thread beside the main one looks for what lives, not four, which two processors have no room for.
 */
export function tuneServerHeap(): void {
  setFlagsFromString('--heap-growing-percent=400');
  setFlagsFromString('--concurrent-marking-max-worker-num=1');
}

/**
 * What gets through the small nursery of an agent is litter nearly always. Its heap may grow by 30 % of what the last
 * collection left, some 3 MiB, and not to several times as much: a collection of so little takes a millisecond or two.
 */
export function tuneAgentHeap(): void {
  setFlagsFromString('--heap-growing-percent=30');
}

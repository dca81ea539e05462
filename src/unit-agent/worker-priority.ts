import { readdirSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

const THREADS = '/proc/self/task';
const LOW = 10;

/**
 * An RSA-4096 pair takes a thread of the pool for seconds of CPU, which on a small machine those who wrap would wait for.
 * On Linux each thread has a priority of its own (setpriority(2), NOTES): all threads of this process give way, but the one
 * that serves. Elsewhere nothing changes.
 */
export function lowerWorkers(): void {
  if (process.platform !== 'linux') return;
  const workers = readdirSync(THREADS)
    .map(Number)
    .filter((thread) => thread !== process.pid);
  for (const thread of workers) {
    try {
      if (getPriority(thread) < LOW) setPriority(thread, LOW);
    } catch {
      // it has ended meanwhile
    }
  }
}

import { Distribution } from '../shared/distribution.js';

const BATCH_BOUNDS = [1, 2, 5, 10, 20, 50, 100, 200, 500];
const BOUNDS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** What this process wrote into the audit log, and how long that took. */
export class AuditMeter {
  /** Lines of the group commit, durable; and lines in transactions of acts, which are durable with them. */
  readonly lines = { group: 0, act: 0 };
  /** Writes that failed for another reason than their data. */
  failures = 0;
  /** Lines per write. */
  readonly batch = new Distribution(BATCH_BOUNDS);
  /** Seconds from when a line was given until it was durable. */
  readonly durable = new Distribution(BOUNDS_S);
  /** When a write last succeeded, Unix time in seconds; 0: not since the start. */
  lastWriteAt = 0;

  /** A batch became durable that was given then, by `performance.now()`. */
  wrote(given: readonly { readonly since: number }[]): void {
    const now = performance.now();
    for (const { since } of given) this.durable.observe((now - since) / 1_000);
    this.batch.observe(given.length);
    this.lines.group += given.length;
    this.lastWriteAt = Date.now() / 1_000;
  }
}

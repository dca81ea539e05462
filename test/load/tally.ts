/** What became of the requests of one run. */
export class Tally {
  sent = 0;
  /** Milliseconds from when a request was due to its answer, of the good ones. */
  readonly latencies: number[] = [];
  readonly failures: Failure[] = [];
  /** When a request last failed; undefined while none did. */
  lastFailureAt: number | undefined;

  good(milliseconds: number): void {
    this.latencies.push(milliseconds);
  }

  bad(what: string): void {
    this.lastFailureAt = Date.now();
    this.failures.push({ at: this.lastFailureAt, what });
  }

  /** Milliseconds of the share (0.5: p50) of the good requests that took longest; NaN when there are none. */
  percentile(share: number): number {
    const sorted = Float64Array.from(this.latencies).sort();
    return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
  }

  /** How often each kind of failure came up, the most frequent first. */
  kinds(): string[] {
    const counts = new Map<string, number>();
    for (const { what } of this.failures) counts.set(what, (counts.get(what) ?? 0) + 1);
    return [...counts].sort(([, a], [, b]) => b - a).map(([what, count]) => `${count} × ${what}`);
  }

  add(other: Tally): void {
    this.sent += other.sent;
    for (const latency of other.latencies) this.latencies.push(latency);
    for (const failure of other.failures) this.failures.push(failure);
    this.lastFailureAt = Math.max(this.lastFailureAt ?? 0, other.lastFailureAt ?? 0) || undefined;
  }
}

export interface Failure {
  readonly at: number;
  readonly what: string;
}

import { Injectable } from '@nestjs/common';
import { Config } from '../config/config.js';
import { RateLimitError } from '../shared/errors.js';

const MOST_ENTRIES = 10_000;
/** With one credential a tenth of what an address may do: whoever repeats one that was refused is a broken client. */
const CREDENTIAL_SHARE = 10;

interface Bucket {
  readonly left: number;
  readonly at: number;
}

/**
 * How many authentications may fail before one waits: a token bucket for each address, and a smaller one for each
 * credential at an address (never for a credential alone: others could empty it for its owner). Kept in this process.
 * Attempts that succeed take nothing.
 */
@Injectable()
export class FailedAttempts {
  readonly #buckets = new Map<string, Bucket>();

  constructor(private readonly config: Config) {}

  /** Throws RATE_LIMITED when this address, or this credential there, has failed too often of late. */
  check(address: string, subject: string): void {
    const waits = this.#places(address, subject).map(([place, most]) => this.#waitMs(place, most));
    const wait = Math.max(0, ...waits);
    if (wait === 0) return;
    const seconds = Math.max(1, Math.ceil(wait / 1000));
    throw new RateLimitError(`too many failed authentications; try again in ${seconds} s`, seconds);
  }

  /** Notes a failure. */
  note(address: string, subject: string): void {
    for (const [place, most] of this.#places(address, subject)) {
      const { left } = this.#bucket(place, most);
      this.#buckets.delete(place); // the one used last stands last
      this.#buckets.set(place, { left: left - 1, at: Date.now() });
    }
    for (const place of this.#buckets.keys()) {
      if (this.#buckets.size <= MOST_ENTRIES) break;
      this.#buckets.delete(place);
    }
  }

  #places(address: string, subject: string): [string, number][] {
    const most = this.config.limits.failedAttempts;
    if (most === 0) return [];
    return [
      [address, most],
      [`${address} ${subject}`, Math.max(1, Math.floor(most / CREDENTIAL_SHARE))],
    ];
  }

  #bucket(place: string, most: number): Bucket {
    const known = this.#buckets.get(place);
    const now = Date.now();
    if (known === undefined) return { left: most, at: now };
    return { left: Math.min(most, known.left + (now - known.at) / this.config.timers.failedAttempt), at: now };
  }

  #waitMs(place: string, most: number): number {
    const { left } = this.#bucket(place, most);
    return left >= 1 ? 0 : (1 - left) * this.config.timers.failedAttempt;
  }
}

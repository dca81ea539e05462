const FAILURES = 3;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

export const BREAKER_STATES = ['closed', 'open', 'half-open'] as const;
export type BreakerState = (typeof BREAKER_STATES)[number];

/**
 * Keeps requests away from a unit that fails them, while others serve.
 * 1. A failure makes the unit `suspected`: it is passed over until a probe that began after the failure, with its canary
 *    in the token, found it well. So a request that no unit could have served costs the unit nothing.
 * 2. Three failures to answer in a row open the breaker, whatever the probes say, for a pause that doubles from 0.5 to
 *    30 s. Then it is half-open: one request at a time is the trial. A success closes it, a failure opens it again.
 */
export class Breaker {
  #suspectedAt: number | undefined;
  #failures = 0;
  #pauseMs = 0;
  #openUntil = 0;
  #trial = false;

  state(now: number): BreakerState {
    if (this.#pauseMs === 0) return 'closed';
    return now < this.#openUntil ? 'open' : 'half-open';
  }

  /** Whether a request should come here while another unit could take it. */
  admits(now: number): boolean {
    if (this.#suspectedAt !== undefined) return false;
    const state = this.state(now);
    return state === 'closed' || (state === 'half-open' && !this.#trial);
  }

  /** A request begins. */
  begin(now: number): void {
    if (this.state(now) === 'half-open') this.#trial = true;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#pauseMs = 0;
    this.#trial = false;
  }

  /** `silent`: the unit did not answer at all; otherwise it answered with a fault, which the canary has to confirm. */
  failed(now: number, silent: boolean): void {
    this.#suspectedAt = now;
    this.#trial = false;
    if (!silent) return;
    this.#failures += 1;
    if (this.#failures < FAILURES && this.#pauseMs === 0) return;
    if (this.state(now) === 'open') return; // requests that began before it opened
    this.#pauseMs = Math.min(Math.max(this.#pauseMs * 2, FIRST_PAUSE_MS), LONGEST_PAUSE_MS);
    this.#openUntil = now + this.#pauseMs;
  }

  /** A request was refused for what it asked. */
  refused(): void {
    this.#trial = false;
  }

  /** A probe that began then found the unit well. */
  foundWell(probeBegan: number): void {
    if (this.#suspectedAt !== undefined && probeBegan >= this.#suspectedAt) this.#suspectedAt = undefined;
  }
}

/** So many requests in a row may leave a silent unit, and of many one in twenty. */
const MOST = 256;
const SHARE = 0.05;

/** Bounds what leaving silent units costs: a machine that is too busy, on which all units are silent, gets no more to do by it. */
export class RetryBudget {
  #left = MOST;

  /** Whether a request may leave its unit now. */
  get allows(): boolean {
    return this.#left >= 1;
  }

  /** A request left its unit. */
  spend(): void {
    this.#left -= 1;
  }

  /** A request was served. */
  earn(): void {
    this.#left = Math.min(MOST, this.#left + SHARE);
  }
}

/** So many requests in a row may leave a silent unit, and then one for so many that are served. */
const IN_A_ROW = 256;
const SERVED_FOR_ONE = 20;
const MOST = IN_A_ROW * SERVED_FOR_ONE;

/** Bounds what leaving silent units costs: a machine that is too busy, on which all units are silent, gets no more to do by it. */
export class RetryBudget {
  /** In requests that were served; whole numbers, which add up without loss. */
  #left = MOST;

  /** Whether a request may leave its unit now. */
  get allows(): boolean {
    return this.#left >= SERVED_FOR_ONE;
  }

  /** A request left its unit. */
  spend(): void {
    this.#left -= SERVED_FOR_ONE;
  }

  /** A request was served. */
  earn(): void {
    if (this.#left < MOST) this.#left += 1;
  }
}

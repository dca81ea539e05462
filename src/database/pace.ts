import { setTimeout as after } from 'node:timers/promises';

/** Keeps the beginnings of what is done again and again so many milliseconds apart. What comes late begins at once. */
export class Pace {
  #last = Number.NEGATIVE_INFINITY;

  constructor(private readonly apartMs: number) {}

  /** Fulfilled when it may begin. */
  async turn(): Promise<void> {
    const rest = this.#last + this.apartMs - performance.now();
    if (rest > 0) await after(rest);
    this.#last = performance.now();
  }
}

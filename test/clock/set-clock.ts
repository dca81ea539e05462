import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compiled } from '../compiled.js';

/** A clock that can be set under a running server and its agents; the time of the machine stays as it is. */
export class SetClock {
  readonly #file: string;
  /** What a world needs in its environment. */
  readonly env: Readonly<Record<string, string>>;

  constructor(directory: string) {
    this.#file = join(directory, 'clock-ahead');
    this.set(0);
    this.env = { LD_PRELOAD: compiled('clock/clock.c', directory), CLOCK_AHEAD_FILE: this.#file };
  }

  /** From now on their clocks are so many seconds ahead of the right time. */
  set(seconds: number): void {
    writeFileSync(this.#file, String(seconds));
  }
}

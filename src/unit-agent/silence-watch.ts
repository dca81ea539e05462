import { KeysteadError } from '../shared/errors.js';

/** Silence is counted in ticks of our own clock: a process that was held up itself has heard nothing either. */
const TICK_MS = 8;
/** An agent answers within a millisecond or two. Who may ask another one waits no longer than this without a word from it. */
const LEAST_MS = 24;
/** Of what an answer takes as a rule: across a network, or with many who wait, it takes longer. */
const TIMES_USUAL = 4;
/** The weight of one answer in what is usual. */
const WEIGHT = 1 / 16;

/** The agent has been silent for longer than it ever is while it is well. It may act yet; the deadline goes on. */
export class UnitSilentError extends KeysteadError {
  constructor() {
    super('UNIT_UNREACHABLE', 'the agent has been silent for longer than usual');
  }
}

/** Notices that an agent, which answers all the time, has gone silent while somebody waits who need not. */
export class SilenceWatch {
  #tick: NodeJS.Timeout | undefined;
  #quietTicks = 0;
  #heard = false;
  #usualMs: number | undefined;
  #silent = false;

  /** `awaited` says whether somebody waits; `onSilence` is called when it has lasted too long. */
  constructor(
    private readonly awaited: () => boolean,
    private readonly onSilence: () => void,
  ) {}

  /** It went silent, and has not said a word since. */
  get silent(): boolean {
    return this.#silent;
  }

  /** Somebody waits. */
  begin(): void {
    this.#tick ??= setTimeout(() => this.#next(), TICK_MS);
  }

  /** Something came from the agent. */
  heard(): void {
    this.#heard = true;
    this.#silent = false;
  }

  /** So long an answer took to come, in milliseconds, also one that nobody waited for any more. */
  took(milliseconds: number): void {
    this.#usualMs ??= milliseconds;
    this.#usualMs += (milliseconds - this.#usualMs) * WEIGHT;
  }

  end(): void {
    clearTimeout(this.#tick);
  }

  #next(): void {
    this.#tick = undefined;
    this.#quietTicks = this.#heard ? 0 : this.#quietTicks + 1;
    this.#heard = false;
    if (!this.awaited()) {
      this.#quietTicks = 0;
      return;
    }
    if (this.#quietTicks * TICK_MS < Math.max(LEAST_MS, TIMES_USUAL * (this.#usualMs ?? 0))) {
      this.begin();
      return;
    }
    this.#quietTicks = 0;
    this.#silent = true;
    this.onSilence();
  }
}

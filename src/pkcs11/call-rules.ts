import { type ErrorCode, KeysteadError } from '../shared/errors.js';
import { ckrClass } from './ckr.js';

/**
 * Two rules for every call with a cached handle:
 * 1. A cached handle may have died: everything cached is dropped and the call made once more.
 * 2. A module may say the same of bad input and of itself being broken: before input is blamed the unit sings a canary.
 */
export class CallRules {
  /** `forget` drops every cached handle. */
  constructor(private readonly forget: () => void) {}

  freshHandles<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      this.#forgetIfDead(cause);
      return work();
    }
  }

  /** The same for work that goes on on another thread. */
  async freshHandlesLater<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      this.#forgetIfDead(cause);
      return work();
    }
  }

  /**
   * Runs work whose failure may be the input's fault; then, once the proof passed and it failed once more, it is refused
   * with this code: a module may fail for a moment.
   */
  blame<T>(code: ErrorCode, sentence: string, work: () => T, prove: () => void): T {
    try {
      return work();
    } catch (cause) {
      assertOfInput(cause, prove);
      if (ckrClass(cause) === 'data') throw new KeysteadError(code, sentence, { cause });
    }
    try {
      return work();
    } catch (cause) {
      assertOfInput(cause, () => undefined);
      throw new KeysteadError(code, sentence, { cause });
    }
  }

  #forgetIfDead(cause: unknown): void {
    if (ckrClass(cause) !== 'handle') throw cause;
    this.forget();
  }
}

/** Throws the cause again unless the input is to blame; what may be the unit's fault is tried by the proof first. */
export function assertOfInput(cause: unknown, prove: () => void): void {
  const kind = ckrClass(cause);
  if (kind !== 'data' && kind !== 'ambiguous') throw cause;
  if (kind === 'ambiguous') prove();
}

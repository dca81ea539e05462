import { Distribution } from '../shared/distribution.js';
import type { ErrorCode } from '../shared/errors.js';
import type { Opcode } from './protocol.js';

/** The unit did it; refused what was asked; failed itself; or gave no answer. */
export type CallOutcome = 'success' | 'refused' | 'fault' | 'silent';

const BOUNDS_S = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const FAULTS: readonly ErrorCode[] = ['UNIT_FAULT', 'TOKEN_LOST', 'TOKEN_UNSUITABLE', 'PIN_REFUSED'];

/** How long calls to one agent took, by operation and outcome, and how many were not waited for, over all its connections. */
export class CallMeter {
  readonly #calls = new Map<Opcode, Map<CallOutcome, Distribution>>();
  #abandoned = 0;

  note(op: Opcode, outcome: CallOutcome, seconds: number): void {
    (this.#calls.get(op)?.get(outcome) ?? this.#first(op, outcome)).observe(seconds);
  }

  #first(op: Opcode, outcome: CallOutcome): Distribution {
    const outcomes = this.#calls.get(op) ?? new Map<CallOutcome, Distribution>();
    const taken = new Distribution(BOUNDS_S);
    this.#calls.set(op, outcomes.set(outcome, taken));
    return taken;
  }

  /** Who asked did not wait for the answer, since the agent was silent; `note` is told too, when it comes or never. */
  noteAbandoned(): void {
    this.#abandoned += 1;
  }

  get abandoned(): number {
    return this.#abandoned;
  }

  *read(): Iterable<readonly [Opcode, CallOutcome, Distribution]> {
    for (const [op, outcomes] of this.#calls) for (const [outcome, taken] of outcomes) yield [op, outcome, taken];
  }
}

/** What a refusal with this code says of the unit. */
export function outcomeOf(code: ErrorCode): CallOutcome {
  return FAULTS.includes(code) ? 'fault' : 'refused';
}

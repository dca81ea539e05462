import { Injectable } from '@nestjs/common';
import { type ErrorCode, KeysteadError } from '../shared/errors.js';
import { type CryptoClient, UnitSilentError } from '../unit-agent/client.js';
import { Fleet } from './fleet.js';
import { noHealthyUpstream } from './no-healthy-upstream.js';
import { RetryBudget } from './retry-budget.js';

/** The unit cannot serve now; a request that meets only such units finds no unit at all. */
const DOES_NOT_SERVE: readonly ErrorCode[] = [
  'UNIT_UNREACHABLE',
  'TOKEN_LOST',
  'TOKEN_UNSUITABLE',
  'PIN_REFUSED',
  'CONFIG_INVALID',
  'KMS_USER_REFUSED',
  'UNIT_STATE',
  'MASTER_KEY_MISMATCH',
];

/** Faults of a unit, not of the request: another unit may do better. Everything else would fail there too. */
const TRY_ANOTHER: readonly ErrorCode[] = [...DOES_NOT_SERVE, 'UNIT_FAULT', 'KEY_ROW_INVALID'];

/** Half a millisecond of a unit's time. */
const MOST_AT_ONCE = 16;

export interface Served<T> {
  readonly unitId: string;
  readonly result: T;
}

/**
 * Lends serving units in turn. A unit that fails is passed over for the next, and looked at by the prober at once; its
 * breaker keeps requests away from it while there are others (breaker.ts).
 */
@Injectable()
export class UnitPicker {
  #turn = 0;
  /** Requests that had this turn. */
  #taken = 0;
  readonly #leaving = new RetryBudget();

  constructor(private readonly fleet: Fleet) {}

  /**
   * Does the work on a serving unit of the instance, `avoid` only when there is no other. A unit that has gone silent is
   * not waited for while there is another one, so the work may be done by both; with `avoid` it is, since which unit does it
   * matters then.
   * NO_HEALTHY_UPSTREAM when no unit serves; otherwise what the last unit that does answered.
   */
  async use<T>(instanceId: string, work: (unit: CryptoClient) => Promise<T>, avoid?: string): Promise<Served<T>> {
    const units = this.#inTurn(instanceId);
    const hasOthers = avoid === undefined && units.length > 1;
    let failure: KeysteadError | undefined;
    let failed: Map<string, ErrorCode> | undefined;
    let silent: string[] | undefined;
    let unitId = this.#best(units, avoid);
    while (unitId !== undefined) {
      const link = this.fleet.link(unitId);
      const { breaker } = link;
      const inHaste = hasOthers && !failed?.has(unitId) && this.#leaving.allows;
      try {
        breaker.begin(Date.now());
        const unit = link.open ?? (await link.crypto(await this.fleet.kmsUser(instanceId)));
        const result = await work(inHaste ? unit.inHaste : unit);
        breaker.succeeded();
        this.#leaving.earn();
        return { unitId, result };
      } catch (cause) {
        if (!(cause instanceof KeysteadError) || !TRY_ANOTHER.includes(cause.code)) {
          breaker.refused();
          throw cause;
        }
        failed = (failed ?? new Map()).set(unitId, cause.code);
        if (cause instanceof UnitSilentError) {
          breaker.refused(); // whether it hangs, its probes find out
          this.#leaving.spend();
          silent = [...(silent ?? []), unitId];
        } else {
          this.#blame(unitId, cause.code);
          if (!DOES_NOT_SERVE.includes(cause.code)) failure = cause;
        }
      }
      unitId = this.#best(units, avoid, failed) ?? silent?.shift();
    }
    throw failure ?? noHealthyUpstream(this.fleet.views(instanceId), failed);
  }

  /** The prober looks at the unit at once; a row that was changed is no unit's fault. */
  #blame(unitId: string, code: ErrorCode): void {
    const link = this.fleet.link(unitId);
    if (code === 'KEY_ROW_INVALID') link.breaker.refused();
    else link.breaker.failed(Date.now(), code === 'UNIT_UNREACHABLE');
    link.probeSoon();
  }

  /** Ids of the units that serve the instance now. */
  serving(instanceId: string): readonly string[] {
    return this.fleet.serving(instanceId);
  }

  /** The units that serve, from the one whose turn it is. */
  #inTurn(instanceId: string): readonly string[] {
    const units = this.serving(instanceId);
    this.#take();
    const first = this.#turn % units.length;
    return first === 0 || units.length === 0 ? units : [...units.slice(first), ...units.slice(0, first)];
  }

  /** Of those that did not fail yet: the first that is well, then the others; `avoid` after those that are as well as it. */
  #best(units: readonly string[], avoid?: string, failed?: ReadonlyMap<string, ErrorCode>): string | undefined {
    const now = Date.now();
    let best: string | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const id of units) {
      if (failed?.has(id)) continue;
      const rank = (this.#isWell(id, now) ? 0 : 2) + (id === avoid ? 1 : 0);
      if (rank === 0) return id; // nearly always the only one that is asked
      if (rank < least) [best, least] = [id, rank];
    }
    return best;
  }

  /** Requests that come in one turn of the event loop, up to a number, go to the same unit: in one write, and it wakes once. */
  #take(): void {
    if (this.#taken === 0) setImmediate(() => this.#nextTurn());
    if (this.#taken === MOST_AT_ONCE) this.#nextTurn();
    this.#taken += 1;
  }

  #nextTurn(): void {
    this.#turn += 1;
    this.#taken = 0;
  }

  /** Others come first while it has requests that wait, or failed some. */
  #isWell(unitId: string, now: number): boolean {
    const link = this.fleet.link(unitId);
    return link.breaker.admits(now) && !link.stalled();
  }
}

import type { CryptoUnit } from '../instances/crypto-unit.entity.js';
import { mayServe } from './conditions.js';
import type { LogVerdicts } from './log-verdicts.js';
import type { Observation } from './observation.js';
import { marksOf } from './unit-view.js';

/** A unit may go stale without anything being told; nobody hears of it later than this. */
const LONGEST_MS = 100;

interface Known {
  readonly inputs: readonly unknown[];
  readonly until: number;
  readonly unitIds: readonly string[];
}

/**
 * Which units of an instance serve. Every request asks several times, so it is judged again only when one of the objects
 * that the answer comes from is another one, or a moment has passed.
 */
export class ServingCache {
  readonly #known = new Map<string, Known>();

  /** What `judge` gave for these inputs. */
  of(instanceId: string, inputs: readonly unknown[], judge: () => readonly string[]): readonly string[] {
    const now = performance.now();
    const known = this.#known.get(instanceId);
    if (known !== undefined && now < known.until && sameItems(known.inputs, inputs)) return known.unitIds;
    const unitIds = judge();
    this.#known.set(instanceId, { inputs, until: now + LONGEST_MS, unitIds });
    return unitIds;
  }

  clear(): void {
    this.#known.clear();
  }
}

function sameItems(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}

interface Candidate {
  readonly unit: CryptoUnit;
  readonly link: { readonly observation: Observation | undefined };
}

/** Ids of those units of an instance that serve now. */
export function servingOf(
  units: readonly Candidate[],
  logs: Pick<LogVerdicts, 'of'>,
  pinnedMkvp: string | null,
  kmsUser: string | undefined,
): string[] {
  const ids = units.map(({ unit }) => unit.id);
  const now = new Date();
  const serves = ({ unit, link }: Candidate) =>
    mayServe({ ...marksOf(unit, logs.of(unit.id, ids)), kmsUser }, link.observation, pinnedMkvp, now);
  return units.filter(serves).map(({ unit }) => unit.id);
}

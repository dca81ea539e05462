import type { Isolation } from '../instances/agent-directory.js';
import type { CryptoUnit } from '../instances/crypto-unit.entity.js';
import type { UnitState } from '../shared/unit-state.js';
import type { Capabilities, RecordFacts, UnitFacts } from '../unit-agent/protocol.js';
import type { BreakerState } from './breaker.js';
import { type Condition, conditionsOf, mayServe, recordOf, type UnitMarks, unitState } from './conditions.js';
import { type LogVerdict, UNKNOWN } from './log-verdicts.js';
import type { Observation } from './observation.js';
import type { UnitLink } from './unit-link.js';

/** A unit as it is shown: IBM's three members first, then what we add. */
export interface UnitView {
  readonly id: string;
  readonly instanceId: string;
  readonly state: UnitState;
  readonly zone: string;
  readonly conditions: readonly Condition[];
  readonly serving: boolean;
  readonly provider: string;
  readonly serial: string | null;
  readonly record: RecordFacts | null;
  readonly receiptKey: UnitFacts['receiptKey'];
  readonly objects: number | null;
  readonly capabilities: Capabilities | null;
  readonly agent: { readonly pid: number | null; readonly restarts: number };
  readonly isolation: Isolation;
  /** Whether requests of keys are kept away from the unit, as this server sees it. */
  readonly breaker: BreakerState;
  readonly probedAt: string | null;
}

type Sibling = CryptoUnit & { readonly observation: Observation | undefined };

export function viewOf(
  unit: CryptoUnit,
  link: UnitLink,
  pinnedMkvp: string | null,
  siblings: readonly Sibling[],
  now: Date,
  log: LogVerdict,
  kmsUser: string | undefined,
): UnitView {
  const { observation } = link;
  const marks = { ...marksOf(unit, log), kmsUser };
  const facts = observation?.kind === 'facts' ? observation.facts : undefined;
  return {
    id: unit.id,
    instanceId: unit.instanceId,
    state: unitState(marks, observation),
    zone: unit.descriptor.zone,
    conditions: conditionsOf(
      marks,
      observation,
      pinnedMkvp,
      siblings.map((other) => recordOf(marksOf(other), other.observation)),
      now,
    ),
    serving: mayServe(marks, observation, pinnedMkvp, now),
    provider: unit.descriptor.provider,
    serial: unit.serial,
    record: recordOf(marks, observation),
    receiptKey: facts?.receiptKey ?? null,
    objects: facts?.objects ?? null,
    capabilities: unit.capabilities,
    agent: { pid: link.agent.pid ?? null, restarts: link.agent.restarts },
    isolation: link.agent.isolation,
    breaker: link.breaker.state(now.getTime()),
    probedAt: observation?.at.toISOString() ?? null,
  };
}

/** What the database knows of the unit, as its state and conditions are computed from it. */
export function marksOf(unit: CryptoUnit, log: LogVerdict = UNKNOWN): UnitMarks {
  return {
    id: unit.id,
    serial: unit.serial,
    claimedEpoch: unit.claimedEpoch,
    lastRecord: unit.lastRecord,
    seenAt: unit.seenAt,
    maintenance: unit.maintenance,
    missing: unit.capabilities?.missing ?? [],
    log,
  };
}

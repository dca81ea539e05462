import type { RequestMeter } from '../access/request-meter.js';
import type { AuditLog } from '../audit/audit-log.js';
import { BREAKER_STATES } from '../crypto-units/breaker.js';
import { CONDITION_STATUSES, CONDITION_TYPES } from '../crypto-units/conditions.js';
import type { DatabaseWatch } from '../database/database-watch.js';
import type { PairPool } from '../import-tokens/pair-pool.job.js';
import type { KeyIntegrity } from '../keys/key-integrity.js';
import { UNIT_STATES } from '../shared/unit-state.js';
import type { Metric, Sample } from './exposition.js';
import type { HealthBoard } from './health-board.js';
import { counterPerUnit, ifSeen, labelsOf, type MeasuredUnit, one, oneOf, perUnit, UNIT } from './measured-unit.js';
import { HEALTH_STATES, VERDICT } from './readiness.js';

/** What the metrics are read from. */
export interface MetricSources {
  readonly requests: RequestMeter;
  readonly units: readonly MeasuredUnit[];
  readonly audit: AuditLog;
  readonly auditWritable: boolean;
  readonly database: DatabaseWatch;
  readonly pairs: PairPool;
  readonly keys: KeyIntegrity;
  readonly board: HealthBoard;
}

/** Every metric of ours. Labels are ids of instances and units, and words of fixed lists: never a key, a caller or a path. docs/metrics.md is printed from here. */
export const METRICS: readonly Metric<MetricSources>[] = [
  {
    name: 'keystead_request_duration_seconds',
    type: 'histogram',
    help: 'Commands and queries by act, instance and outcome (success, or the code of the refusal), from the gate to the answer; those about an instance only while its metrics policy is on',
    labels: ['act', 'instance', 'outcome'],
    read: ({ requests }) => requests.read(),
  },
  {
    name: 'keystead_unit_call_duration_seconds',
    type: 'histogram',
    help: "Calls of this server to a unit's agent by operation and outcome: success, refused (what was asked), fault (of the unit), silent (no answer)",
    labels: [...UNIT, 'operation', 'outcome'],
    *read({ units }) {
      for (const { view, link } of units) {
        for (const [operation, outcome, value] of link.calls.read()) {
          yield { labels: { ...labelsOf(view), operation, outcome }, value };
        }
      }
    },
  },
  counterPerUnit(
    'keystead_unit_calls_abandoned_total',
    'Calls of this server to the unit that were not waited for, since the unit had gone silent and another one could be asked',
    ({ link }) => one(link.calls.abandoned),
  ),
  perUnit('keystead_unit_calls_in_flight', 'Calls of this server to the unit that wait for their answer', ({ link }) =>
    one(link.inFlight),
  ),
  perUnit('keystead_unit_serving', '1 while the crypto unit serves requests of keys', ({ view }) => one(view.serving)),
  oneOf('keystead_unit_state', 'The state of the unit: 1 for the one it is in', UNIT_STATES, ({ state }) => state),
  oneOf(
    'keystead_unit_breaker_state',
    'Whether this server keeps requests away from the unit: 1 for the state of its breaker',
    BREAKER_STATES,
    ({ breaker }) => breaker,
  ),
  {
    name: 'keystead_unit_condition',
    type: 'gauge',
    help: 'The conditions of the unit: 1 for the status of each',
    labels: [...UNIT, 'condition', 'status'],
    *read({ units }) {
      for (const { view } of units) {
        for (const condition of CONDITION_TYPES) {
          const held = view.conditions.find(({ type }) => type === condition)?.status;
          for (const status of CONDITION_STATUSES) {
            yield { labels: { ...labelsOf(view), condition, status }, value: Number(status === held) };
          }
        }
      }
    },
  },
  counterPerUnit(
    'keystead_unit_agent_restarts_total',
    'How often this server started the agent of the unit again; 0 for agents that run by themselves',
    ({ view }) => one(view.agent.restarts),
  ),
  perUnit('keystead_unit_canary', '1 when the last probe was answered and its canary in the token held', ({ link }) =>
    one(link.observation?.kind === 'facts' && link.observation.canary),
  ),
  perUnit(
    'keystead_unit_probe_duration_seconds',
    'How long the last probe took inside the agent',
    ifSeen(({ milliseconds }) => one(milliseconds / 1_000)),
  ),
  {
    ...perUnit(
      'keystead_unit_sessions',
      'Sessions of the token besides the guard session: open, leased to a call that runs on another thread, and the most there may be; not there without an open token',
      ifSeen(({ sessions }) => Object.entries(sessions ?? {}).map(([state, value]) => ({ labels: { state }, value }))),
    ),
    labels: [...UNIT, 'state'],
  },
  perUnit(
    'keystead_unit_checkpoint_lines',
    'Lines of the audit log that the last checkpoint of the unit covers',
    ifSeen(({ facts: { audit } }) => (audit === null || audit === 'unreadable' ? [] : one(audit.size))),
  ),
  {
    name: 'keystead_audit_lines_total',
    type: 'counter',
    help: 'Lines that this server wrote into the audit log: by group commit, or in the transaction of their act, which may still be undone',
    labels: ['commit'],
    read: ({ audit: { meter } }) =>
      Object.entries(meter.lines).map(([commit, value]) => ({ labels: { commit }, value })),
  },
  of(
    'keystead_audit_write_failures_total',
    'counter',
    'Group commits that failed',
    ({ audit }) => audit.meter.failures,
  ),
  of('keystead_audit_batch_lines', 'histogram', 'Lines per group commit', ({ audit }) => audit.meter.batch),
  of(
    'keystead_audit_durable_seconds',
    'histogram',
    'From when a line was given to the group commit until it was durable',
    ({ audit }) => audit.meter.durable,
  ),
  of(
    'keystead_audit_waiting_lines',
    'gauge',
    'Lines that wait for the next group commit',
    ({ audit }) => audit.waiting,
  ),
  of(
    'keystead_audit_last_write_timestamp_seconds',
    'gauge',
    'When a group commit last succeeded, Unix time; 0: not since the start',
    ({ audit }) => audit.meter.lastWriteAt,
  ),
  of('keystead_audit_writable', 'gauge', '1 while the audit log can be written; nothing is served otherwise', (from) =>
    Number(from.auditWritable),
  ),
  of('keystead_database_writable', 'gauge', '1 while the database takes writes', ({ database }) =>
    Number(database.writable),
  ),
  {
    name: 'keystead_database_connections',
    type: 'gauge',
    help: 'Connections of the pool to the database, without the two of the audit log',
    labels: ['state'],
    read: ({ database: { pool } }) => [
      { labels: { state: 'in_use' }, value: pool.inUse },
      { labels: { state: 'idle' }, value: pool.idle },
    ],
  },
  of(
    'keystead_database_waiting',
    'gauge',
    'Acts that wait for a connection of the pool',
    ({ database }) => database.pool.waiting,
  ),
  {
    name: 'keystead_import_pairs_ready',
    type: 'gauge',
    help: 'RSA pairs that are ready for clients to encrypt keys to, as this server last looked',
    labels: ['instance', 'algorithm'],
    *read({ pairs }) {
      for (const { instanceId, algorithm, pairs: value } of pairs.ready.values()) {
        yield { labels: { instance: instanceId, algorithm }, value };
      }
    },
  },
  of(
    'keystead_keys_changed',
    'gauge',
    'Keys whose stored rows were changed behind the back of Keystead, as the last walk and use found them',
    ({ keys }) => keys.report().invalid.length,
  ),
  of('keystead_ready', 'gauge', '1 while /readyz answers 200', ({ board }) =>
    Number(VERDICT[board.state()] !== 'fail'),
  ),
  {
    name: 'keystead_health_state',
    type: 'gauge',
    help: 'What /health says: 1 for the state of the server',
    labels: ['state'],
    read({ board }) {
      const held = board.state();
      return HEALTH_STATES.map((state) => ({ labels: { state }, value: Number(state === held) }));
    },
  },
];

/** A metric of the process, without labels. */
function of(
  name: string,
  type: Metric<MetricSources>['type'],
  help: string,
  value: (from: MetricSources) => Sample['value'],
): Metric<MetricSources> {
  return { name, type, help, labels: [], read: (from) => [{ value: value(from) }] };
}

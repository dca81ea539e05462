import type { UnitState } from '../shared/unit-state.js';
import { stateOf } from '../shared/unit-state.js';
import type { RecordFacts, UnitFacts } from '../unit-agent/protocol.js';
import type { LogVerdict } from './log-verdicts.js';
import { isFresh, type Observation } from './observation.js';

/** What the database knows of a unit, as far as its state and conditions go. */
export interface UnitMarks {
  readonly id: string;
  readonly serial: string | null;
  readonly claimedEpoch: string | null;
  readonly lastRecord: RecordFacts | null;
  /** The agent's time of the facts that the marks were taken from. */
  readonly seenAt?: Date | null;
  readonly maintenance: boolean;
  /** Capabilities that every unit needs and this token has not. */
  readonly missing: readonly string[];
  /** Whether the database's audit log holds what the units of the instance signed of it. */
  readonly log: LogVerdict;
  /** Kid of the KMS identity of this server; undefined while it is not known. */
  readonly kmsUser?: string | undefined;
}

export const CONDITION_TYPES = ['Reachable', 'MasterKeyMatches', 'Quarantined', 'InSync'] as const;
export type ConditionType = (typeof CONDITION_TYPES)[number];

export const CONDITION_STATUSES = ['True', 'False', 'Unknown'] as const;

export interface Condition {
  readonly type: ConditionType;
  readonly status: (typeof CONDITION_STATUSES)[number];
  readonly reason: string;
  readonly message: string;
}

/** The record a unit has, or had when it was last seen; none when it was never claimed. */
export function recordOf(marks: UnitMarks, observation: Observation | undefined): RecordFacts | null {
  if (observation?.kind === 'facts' && observation.facts.token.present && !isRecordLost(marks, observation.facts)) {
    return observation.facts.record;
  }
  return marks.claimedEpoch === null ? null : marks.lastRecord;
}

/** A claim was finished, as the agent or the database knows, and the token holds no record of it. */
function isRecordLost(marks: UnitMarks, { record, recordLost }: UnitFacts): boolean {
  return recordLost || (record === null && marks.claimedEpoch !== null);
}

/**
 * IBM's name for the unit's facts. A unit that cannot be seen keeps the name of what it last was, with `Reachable` False
 * beside it: a claimed token that vanished is never `reserved`.
 */
export function unitState(marks: UnitMarks, observation: Observation | undefined): UnitState {
  const record = recordOf(marks, observation);
  return stateOf({
    claimed: record !== null || marks.claimedEpoch !== null,
    masterKey: record?.masterKey != null,
    kmsUser: record?.kmsUser != null,
    maintenance: marks.maintenance,
  });
}

/** Everything to be said about a unit beside its state, always in the same order. */
export function conditionsOf(
  marks: UnitMarks,
  observation: Observation | undefined,
  pinnedMkvp: string | null,
  siblings: readonly (RecordFacts | null)[],
  now: Date,
): Condition[] {
  return [
    reachable(marks, observation, now),
    masterKeyMatches(marks, observation, pinnedMkvp),
    quarantined(marks, observation, pinnedMkvp),
    inSync(recordOf(marks, observation), siblings),
  ];
}

/** Whether the unit may serve: kms-initialized, seen lately, whole, and with the pinned master key. */
export function mayServe(
  marks: UnitMarks,
  observation: Observation | undefined,
  pinnedMkvp: string | null,
  now: Date,
): boolean {
  return (
    unitState(marks, observation) === 'kms-initialized' &&
    reachable(marks, observation, now).status === 'True' &&
    masterKeyMatches(marks, observation, pinnedMkvp).status === 'True' &&
    quarantined(marks, observation, pinnedMkvp).status === 'False' &&
    marks.log.kind === 'held'
  );
}

function reachable(marks: UnitMarks, observation: Observation | undefined, now: Date): Condition {
  const say = (status: Condition['status'], reason: string, message: string) =>
    ({ type: 'Reachable', status, reason, message }) as const;
  if (observation === undefined)
    return say('Unknown', 'NotYetSeen', 'the unit has not answered since the server started');
  if (observation.kind === 'silent') return say('False', 'AgentDown', observation.problem.message);
  if (!isFresh(observation, now)) return say('Unknown', 'Stale', 'the unit has not answered for more than 10 s');
  const { token } = observation.facts;
  const lost = `its token ${marks.serial ?? ''} is gone; bring it back, or: kp crypto-unit replace ${marks.id}`;
  if (observation.facts.recordLost || (token.present && isRecordLost(marks, observation.facts))) {
    return say('False', 'TokenLost', `the unit was claimed and its record is gone; kp crypto-unit replace ${marks.id}`);
  }
  if (!token.present) {
    if (token.problem !== null && token.problem.code !== 'TOKEN_LOST') {
      return say('False', reasonOf(token.problem.code), token.problem.message);
    }
    return say('False', 'TokenLost', lost);
  }
  if (token.problem !== null) return say('False', reasonOf(token.problem.code), token.problem.message);
  return say('True', 'Answering', `answered a probe in ${observation.milliseconds} ms`);
}

function masterKeyMatches(
  marks: UnitMarks,
  observation: Observation | undefined,
  pinnedMkvp: string | null,
): Condition {
  const say = (status: Condition['status'], reason: string, message: string) =>
    ({ type: 'MasterKeyMatches', status, reason, message }) as const;
  const record = recordOf(marks, observation);
  if (record?.masterKey == null) return say('Unknown', 'NoMasterKey', 'the unit holds no master key');
  const matches = observation?.kind === 'facts' ? observation.facts.masterKeyMatches : null;
  if (matches === null) return say('Unknown', 'NotChecked', 'the master key could not be checked');
  if (!matches) {
    return say('False', 'CheckFailed', 'the keys on the token do not give the check values of the unit record');
  }
  if (pinnedMkvp !== null && record.masterKey.mkvp !== pinnedMkvp) {
    return say(
      'False',
      'OtherMasterKey',
      'the unit holds another master key than its instance; zeroize it and import again',
    );
  }
  return say('True', 'Checked', 'MKVP and check value were computed in the token and match');
}

function quarantined(marks: UnitMarks, observation: Observation | undefined, pinnedMkvp: string | null): Condition {
  const say = (reason: string, message: string) => ({ type: 'Quarantined', status: 'True', reason, message }) as const;
  if (marks.missing.length > 0) {
    return say('TokenUnsuitable', `the token cannot do ${marks.missing.join(', ')}; use another token`);
  }
  if (observation?.kind === 'facts') {
    const { token, record } = observation.facts;
    if (token.present && marks.serial !== null && token.serial !== marks.serial) {
      return say(
        'SerialChanged',
        `the token is ${token.serial} where ${marks.serial} was; it was changed behind our back`,
      );
    }
    if (record !== null && marks.claimedEpoch !== null && record.epoch !== marks.claimedEpoch) {
      return say('EpochChanged', 'the unit record is of another claim than the one that was finished here');
    }
    if (isSetBack(marks, observation.facts)) {
      const message =
        'the unit took more signed commands than its token knows of; bring back the newest token, or zeroize';
      return say('TokenRolledBack', message);
    }
  }
  if (marks.log.kind === 'rolled-back') return say('DatabaseRolledBack', marks.log.message);
  const match = masterKeyMatches(marks, observation, pinnedMkvp);
  if (match.status === 'False') return say('MasterKeyMismatch', match.message);
  const enrolled = recordOf(marks, observation)?.kmsUser;
  if (enrolled && marks.kmsUser !== undefined && enrolled.kid !== marks.kmsUser) {
    return say(
      'OtherKmsUser',
      `the kmsCryptoUser is ${enrolled.kid} and this server is ${marks.kmsUser}; give all servers the same KEYSTEAD_SHARED_DIR, or: kp crypto-unit user remove, then user add`,
    );
  }
  return { type: 'Quarantined', status: 'False', reason: 'None', message: 'the unit is in order' };
}

/** Facts that are newer than what was noted of the unit, and know fewer commands of the same claim. */
function isSetBack({ lastRecord, seenAt }: UnitMarks, { record, at }: UnitFacts): boolean {
  if (record === null || lastRecord === null || record.epoch !== lastRecord.epoch) return false;
  return record.counter < lastRecord.counter && (seenAt == null || new Date(at) > seenAt);
}

function inSync(record: RecordFacts | null, siblings: readonly (RecordFacts | null)[]): Condition {
  const differs = siblings.flatMap((other) => differences(record, other));
  if (differs.length === 0) {
    return {
      type: 'InSync',
      status: 'True',
      reason: 'Equal',
      message: 'the units of the instance are set up the same',
    };
  }
  const message = `differs from another unit of the instance in: ${[...new Set(differs)].join(', ')}`;
  return { type: 'InSync', status: 'False', reason: 'Differs', message };
}

function differences(a: RecordFacts | null, b: RecordFacts | null): string[] {
  if ((a === null) !== (b === null)) return ['claim'];
  if (a === null || b === null) return [];
  const kids = (record: RecordFacts) =>
    record.admins
      .map((admin) => `${admin.name}=${admin.kid}`)
      .sort()
      .join();
  return [
    ...(kids(a) === kids(b) ? [] : ['admins']),
    ...(a.threshold === b.threshold ? [] : ['threshold']),
    ...(a.kmsUser?.kid === b.kmsUser?.kid ? [] : ['kmsCryptoUser']),
    ...(a.masterKey?.mkvp === b.masterKey?.mkvp ? [] : ['master key']),
  ];
}

/** TOKEN_LOST → TokenLost. */
export function reasonOf(code: string): string {
  return code
    .toLowerCase()
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}

import type { RecordFacts, UnitFacts } from '../unit-agent/protocol.js';
import { type ConditionType, conditionsOf, mayServe, type UnitMarks, unitState } from './conditions.js';
import type { Observation } from './observation.js';

const now = new Date('2026-01-01T00:00:10Z');
const mkvp = 'ab'.repeat(16);
const record: RecordFacts = {
  instance: 'i',
  epoch: 'e'.repeat(32),
  counter: 3,
  threshold: 1,
  admins: [{ name: 'ADMIN', kid: 'a' }],
  kmsUser: { name: 'kp', kid: 'k' },
  masterKey: {
    mkId: '00',
    setId: '01',
    name: 'MK',
    algorithm: 'AES-256',
    t: 2,
    n: 3,
    mkvp,
    createdAt: '2026-01-01T00:00:00.000Z',
    importedAt: '2026-01-01T00:00:00.000Z',
  },
};
const facts: UnitFacts = {
  unit: 'u',
  at: '2026-01-01T00:00:09.000Z',
  token: { present: true, serial: 's', label: 'l', model: 'm', manufacturer: 'f', firmware: '1', problem: null },
  record,
  recordLost: false,
  receiptKey: null,
  objects: 9,
  masterKeyMatches: true,
  audit: null,
  zeroized: null,
};
const marks: UnitMarks = {
  id: 'u',
  serial: 's',
  claimedEpoch: record.epoch,
  lastRecord: record,
  maintenance: false,
  missing: [],
  log: { kind: 'held' },
};
const fresh: UnitMarks = { ...marks, serial: 's', claimedEpoch: null, lastRecord: null };
const seen = (change: Partial<UnitFacts> = {}): Observation => ({
  kind: 'facts',
  at: new Date('2026-01-01T00:00:09Z'),
  facts: { ...facts, ...change },
  canary: true,
  sessions: null,
  milliseconds: 1,
});
const silent: Observation = { kind: 'silent', at: now, problem: { code: 'UNIT_UNREACHABLE', message: 'no agent' } };
const gone = {
  ...facts.token,
  present: false,
  serial: null,
  problem: { code: 'TOKEN_LOST', message: 'gone' } as const,
};

const condition = (
  type: ConditionType,
  m: UnitMarks,
  o: Observation | undefined,
  siblings: (RecordFacts | null)[] = [],
) => conditionsOf(m, o, mkvp, siblings, now).find((found) => found.type === type);

describe('a unit in order', () => {
  it('is kms-initialized and may serve', () => {
    expect(unitState(marks, seen())).toBe('kms-initialized');
    expect(mayServe(marks, seen(), mkvp, now)).toBe(true);
  });

  it('does not serve in maintenance', () => {
    expect(unitState({ ...marks, maintenance: true }, seen())).toBe('maintenance');
    expect(mayServe({ ...marks, maintenance: true }, seen(), mkvp, now)).toBe(false);
  });
});

describe('a token that vanished', () => {
  const vanished = seen({ token: gone, record: null, receiptKey: null, masterKeyMatches: null });

  it('is TokenLost and never shown as reserved', () => {
    expect(unitState(marks, vanished)).toBe('kms-initialized');
    expect(condition('Reachable', marks, vanished)).toMatchObject({ status: 'False', reason: 'TokenLost' });
    expect(mayServe(marks, vanished, mkvp, now)).toBe(false);
  });

  it('is TokenLost too when only its record is gone', () => {
    const emptied = seen({ record: null, receiptKey: null, masterKeyMatches: null });
    expect(unitState(marks, emptied)).toBe('kms-initialized');
    expect(condition('Reachable', marks, emptied)).toMatchObject({ status: 'False', reason: 'TokenLost' });
  });

  it('is not said to hold a wrong master key, nor quarantined', () => {
    expect(condition('MasterKeyMatches', marks, vanished)).toMatchObject({ status: 'Unknown', reason: 'NotChecked' });
    expect(condition('Quarantined', marks, vanished)).toMatchObject({ status: 'False' });
  });

  it('is reserved without a mark of a claim', () => {
    expect(unitState(fresh, seen({ record: null }))).toBe('reserved');
    expect(condition('Reachable', fresh, seen({ record: null }))).toMatchObject({ status: 'True' });
  });
});

it.each([
  ['its agent is down', silent, 'Reachable', 'AgentDown'],
  ['its last answer is older than 10 s', { ...seen(), at: new Date('2025-12-31T23:59:00Z') }, 'Reachable', 'Stale'],
  ['it was never seen', undefined, 'Reachable', 'NotYetSeen'],
  ['its keys do not give the check values', seen({ masterKeyMatches: false }), 'MasterKeyMatches', 'CheckFailed'],
  ['its token is another one', seen({ token: { ...facts.token, serial: 'x' } }), 'Quarantined', 'SerialChanged'],
  [
    'its record is of another claim',
    seen({ record: { ...record, epoch: 'f'.repeat(32) } }),
    'Quarantined',
    'EpochChanged',
  ],
  ['its token is one of yesterday', seen({ record: { ...record, counter: 2 } }), 'Quarantined', 'TokenRolledBack'],
] as const)('a unit does not serve when %s', (_what, observation, type, reason) => {
  expect(condition(type, marks, observation as Observation | undefined)).toMatchObject({ reason });
  expect(mayServe(marks, observation as Observation | undefined, mkvp, now)).toBe(false);
});

it('a unit with another master key than the pinned one is quarantined', () => {
  const other = seen({ record: { ...record, masterKey: { ...record.masterKey, mkvp: 'cd'.repeat(16) } as never } });
  expect(condition('MasterKeyMatches', marks, other)).toMatchObject({ reason: 'OtherMasterKey' });
  expect(condition('Quarantined', marks, other)).toMatchObject({ status: 'True', reason: 'MasterKeyMismatch' });
  expect(mayServe(marks, other, mkvp, now)).toBe(false);
});

it('a token that lacks what every unit needs is quarantined by name', () => {
  expect(condition('Quarantined', { ...fresh, missing: ['AES-GCM'] }, seen({ record: null }))).toMatchObject({
    reason: 'TokenUnsuitable',
    message: expect.stringContaining('AES-GCM'),
  });
});

it.each([
  ['claim', null],
  ['admins', { ...record, admins: [] }],
  ['kmsCryptoUser', { ...record, kmsUser: null }],
  ['master key', { ...record, masterKey: null }],
] as const)('units that differ in %s are not InSync', (what, sibling) => {
  expect(condition('InSync', marks, seen(), [sibling])).toMatchObject({
    status: 'False',
    message: expect.stringContaining(what),
  });
});

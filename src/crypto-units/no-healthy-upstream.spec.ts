import type { Condition } from './conditions.js';
import { NO_HEALTHY_UPSTREAM, noHealthyUpstream } from './no-healthy-upstream.js';

const WELL: readonly Condition[] = [
  { type: 'Reachable', status: 'True', reason: 'Answering', message: '' },
  { type: 'MasterKeyMatches', status: 'True', reason: 'Checked', message: '' },
  { type: 'Quarantined', status: 'False', reason: 'None', message: 'the unit is in order' },
  { type: 'InSync', status: 'True', reason: 'Equal', message: '' },
];
const besides = (...others: Condition[]) =>
  WELL.map((condition) => others.find(({ type }) => type === condition.type) ?? condition);
const unit = (id: string, conditions = WELL, state: 'reserved' | 'kms-initialized' = 'kms-initialized') => ({
  id,
  state,
  conditions,
});

test("IBM's words stay at the beginning; each unit follows with its state and what keeps it from serving", () => {
  const message = 'its token 4711 at /var/lib/tokens is gone';
  const lost = besides({ type: 'Reachable', status: 'False', reason: 'TokenLost', message });
  const other = besides({ type: 'Quarantined', status: 'True', reason: 'MasterKeyMismatch', message });
  const units = [unit('a', lost), unit('b', other), unit('c', WELL, 'reserved'), unit('d'), unit('e')];
  const refusal = noHealthyUpstream(units, new Map([['d', 'UNIT_UNREACHABLE']]));
  expect(refusal.code).toBe('NO_HEALTHY_UPSTREAM');
  expect(refusal.message.split('; ')).toEqual([
    NO_HEALTHY_UPSTREAM,
    'crypto unit a: kms-initialized (TokenLost)',
    'crypto unit b: kms-initialized (MasterKeyMismatch)',
    'crypto unit c: reserved',
    'crypto unit d: kms-initialized (UnitUnreachable)',
    'crypto unit e: kms-initialized',
    'next: kp crypto-units',
  ]);
});

test('of a unit that is not reached nothing else is said, and of no unit to one who is not known', () => {
  const silent = besides(
    { type: 'Reachable', status: 'Unknown', reason: 'NotYetSeen', message: '' },
    { type: 'Quarantined', status: 'True', reason: 'MasterKeyMismatch', message: '' },
  );
  expect(noHealthyUpstream([unit('a', silent)]).message).toContain('; crypto unit a: kms-initialized (NotYetSeen); ');
  expect(noHealthyUpstream([]).message).toBe(`${NO_HEALTHY_UPSTREAM}; next: kp crypto-units`);
});

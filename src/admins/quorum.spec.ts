import { assertLifetime, assertThreshold, COSIGNED_LIFETIME_MS, LIFETIME_MS, signaturesNeeded } from './quorum.js';

const admins = [1, 2, 3];
const setting = (threshold: number) => ({ op: 'threshold.set' as const, args: { threshold } });

test.each([
  [1, 1, 1],
  [1, 2, 2],
  [2, 1, 2],
  [2, 3, 3],
  [3, 2, 3],
  [1, 4, 3], // the op itself says that there are not so many
])(
  'from %i to %i takes the signatures of the larger number, as far as there are administrators: %i',
  (from, to, needed) => {
    expect(signaturesNeeded(setting(to), { threshold: from, admins })).toBe(needed);
  },
);

test('every other command takes as many as the threshold', () => {
  expect(signaturesNeeded({ op: 'zeroize', args: { force: true } }, { threshold: 2, admins })).toBe(2);
});

test('a threshold above the number of administrators is refused', () => {
  expect(() => assertThreshold(3, { admins })).not.toThrow();
  expect(() => assertThreshold(4, { admins })).toThrow(expect.objectContaining({ code: 'THRESHOLD_INVALID' }));
});

test.each([
  [1, LIFETIME_MS, true],
  [1, LIFETIME_MS + 1, false],
  [2, LIFETIME_MS + 1, true],
  [2, COSIGNED_LIFETIME_MS, true],
  [2, COSIGNED_LIFETIME_MS + 1, false],
])('where %i must sign a command may live for %i ms: %s', (threshold, life, allowed) => {
  const issuedAt = '2026-01-01T00:00:00.000Z';
  const expiresAt = new Date(Date.parse(issuedAt) + life).toISOString();
  const attempt = () => assertLifetime({ issuedAt, expiresAt }, threshold);
  if (allowed) expect(attempt).not.toThrow();
  else expect(attempt).toThrow(expect.objectContaining({ code: 'COMMAND_MALFORMED' }));
});

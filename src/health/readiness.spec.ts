import { type HealthFacts, healthState, VERDICT } from './readiness.js';

const fine: HealthFacts = {
  databaseWritable: true,
  auditWritable: true,
  rolledBack: false,
  draining: false,
  instances: 1,
  units: 3,
  serving: 3,
  quarantined: 0,
  oaepFallback: 0,
};

it.each([
  ['operational', 'pass', fine],
  ['degraded', 'warn', { ...fine, serving: 1 }],
  ['degraded', 'warn', { ...fine, quarantined: 1 }],
  ['sealed', 'fail', { ...fine, serving: 0 }],
  ['uninitialized', 'fail', { ...fine, instances: 0, units: 0, serving: 0 }],
  ['database-unavailable', 'fail', { ...fine, databaseWritable: false }],
  ['audit-blocked', 'fail', { ...fine, auditWritable: false }],
  ['database-rolled-back', 'fail', { ...fine, serving: 0, quarantined: 3, rolledBack: true }],
  ['draining', 'fail', { ...fine, draining: true, databaseWritable: false }],
] as const)('is %s, and so %s', (state, verdict, facts) => {
  expect(healthState(facts)).toBe(state);
  expect(VERDICT[state]).toBe(verdict);
});

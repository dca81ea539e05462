import { troubles } from './crypto-units.js';

const unit = { id: 'u1', instanceId: 'i1', state: 'claimed' };

test.each([
  ['Reachable', 'True', false],
  ['Reachable', 'False', true],
  ['Reachable', 'Unknown', true],
  ['Quarantined', 'False', false],
  ['Quarantined', 'True', true],
  ['MasterKeyMatches', 'Unknown', false],
  ['MasterKeyMatches', 'False', true],
  ['InSync', 'False', true],
  ['Serving', 'False', false],
] as const)('%s %s is said: %s', (type, status, said) => {
  const conditions = [{ type, status, reason: 'Because', message: 'something is so' }];
  expect(troubles({ ...unit, conditions })).toEqual(said ? ['CryptoUnit u1: something is so (Because)'] : []);
});

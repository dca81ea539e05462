import fc from 'fast-check';
import { callerIdOf, domainIdOf, userIdOf } from './project.js';

const DIGITS = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'];

it('has a user id of 32 hex digits for every access key, and the access key back', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...DIGITS), { minLength: 20, maxLength: 20 }), (characters) => {
      const id = characters.join('');
      expect(userIdOf(id)).toMatch(/^[0-9a-f]{32}$/);
      expect(callerIdOf(userIdOf(id))).toBe(id);
    }),
  );
});

it('leaves other callers and other ids as they are', () => {
  const apiKey = '7b6da8ad-cef0-4b1a-8f5e-1fae14bd9a5c';
  expect([userIdOf(apiKey), callerIdOf(apiKey)]).toEqual([apiKey, apiKey]);
  for (const id of ['0'.repeat(32), 'f'.repeat(32), 'AKEXAMPLE00000000000']) expect(callerIdOf(id)).toBe(id);
});

it('has a domain id of 32 hex digits', () => {
  expect(domainIdOf('7b6da8ad-cef0-4b1a-8f5e-1fae14bd9a5c')).toMatch(/^[0-9a-f]{32}$/);
});

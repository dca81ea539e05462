import { toScope } from './api-keys.js';

const ID = '6e0aead3-9d44-4c92-a4c4-f7a1ab415420';

test('a scope is an instance, a key ring and a key, with what is needed of it', () => {
  expect(toScope(`instance=${ID.toUpperCase()}, key-ring=backups,key=${ID}`)).toEqual({
    instanceId: ID,
    keyRingId: 'backups',
    keyId: ID,
  });
  expect(toScope('key-ring=backups')).toEqual({ keyRingId: 'backups' });
});

test.each(['', 'backups', 'ring=backups', 'constructor=x', 'instance=x', 'key=alias', 'key-ring=a,key-ring=b', 'key='])(
  'the scope %j is refused',
  (text) => {
    expect(() => toScope(text)).toThrow();
  },
);

import { isAccessKeyId, newAccessKeyText } from './access-key-text.js';

it.each([
  ['alibaba', /^LTAI[A-Za-z0-9]{20}$/, /^[A-Za-z0-9]{30}$/],
  ['huawei', /^[A-Z0-9]{20}$/, /^[A-Za-z0-9]{40}$/],
] as const)('an access key of %s looks as its clients know it', (dialect, id, secret) => {
  const made = newAccessKeyText(dialect);
  expect(made.id).toMatch(id);
  expect(made.secret).toMatch(secret);
  expect(isAccessKeyId(made.id, dialect)).toBe(true);
});

it.each(['', 'LTAI', 'LTAIshort', `LTAI${'é'.repeat(20)}`, `LTAX${'a'.repeat(20)}`, `LTAI${'a'.repeat(21)}`])(
  '%p is no id of an access key',
  (text) => {
    expect(isAccessKeyId(text, 'alibaba')).toBe(false);
  },
);

it('no two are alike', () => {
  const made = Array.from({ length: 100 }, () => newAccessKeyText('huawei'));
  expect(new Set(made.map(({ id }) => id)).size).toBe(100);
  expect(new Set(made.map(({ secret }) => secret)).size).toBe(100);
});

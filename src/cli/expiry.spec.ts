import { expirySentence, expirySentences, WARNING_DAYS } from './expiry.js';

const now = new Date('2026-06-15T12:00:00.000Z');
const inDays = (days: number) => new Date(now.getTime() + days * 86_400_000).toISOString();
const admin = (notAfter: string | null) => ({ name: 'bob', kid: 'ab'.repeat(32), notAfter });

test.each([
  ['none is known', null, undefined],
  ['it ends after the time of warning', inDays(WARNING_DAYS + 1), undefined],
  ['it ends within it', inDays(WARNING_DAYS - 1), /'bob'.* ends on 2026-07-14\. The key goes on signing/],
  ['it has ended', inDays(-1), /'bob'.* ended on 2026-06-14\. The key goes on signing/],
])('of the end of a certificate, when %s', (_when, notAfter, said) => {
  const sentence = expirySentence(admin(notAfter), now);
  if (said === undefined) expect(sentence).toBeUndefined();
  else expect(sentence).toMatch(said);
});

test('an administrator of several units is named once', () => {
  expect(expirySentences([admin(inDays(3)), admin(inDays(3))], now)).toHaveLength(1);
});

import { z } from 'zod';
import { readBody, readQuery } from './body.js';
import { base64, body, hex, integer, KeyAlias, KeyId, KeyName, optionalInteger } from './fields.js';

const ID = '0d0466b0-e727-4d9c-b35d-f84bb474a37f';
const Sample = body({ key_id: KeyId, days: optionalInteger('KMS.1401', 7, 1096) });
const read = (text: string) => readBody(Sample, Buffer.from(text));
const refused = (text: string) => {
  try {
    return read(text);
  } catch (cause) {
    return (cause as { reason?: string }).reason;
  }
};

it.each([
  [`{"key_id":"${ID}","days":7}`, 7],
  [`{"key_id": "${ID}", "days": "1096"}\n`, 1096],
  [`{"key_id":"${ID}","days":""}`, undefined],
  [`{"key_id":"${ID}","days":null,"other":[1]}`, undefined],
])('reads numbers as numbers and as text: %s', (text, days) => expect(read(text).days).toBe(days));

it.each([
  ['[1]', 'KMS.0202'],
  ['{"key_id":', 'KMS.0202'],
  ['{"a":1,"a":2}', 'KMS.0202'],
  ['', 'KMS.0204'],
  ['{}', 'KMS.0204'],
  ['{"key_id":null}', 'KMS.0204'],
  ['{"key_id":7}', 'KMS.0205'],
  ['{"key_id":"x"}', 'KMS.0205'],
  [`{"key_id":"${ID}","days":6}`, 'KMS.1401'],
  [`{"key_id":"${ID}","days":7.5}`, 'KMS.1401'],
  [`{"key_id":"${ID}","days":"7 "}`, 'KMS.1401'],
  [`{"key_id":"${ID}","days":true}`, 'KMS.1401'],
  [`{"key_id":"${ID}","sequence":"short"}`, 'KMS.0206'],
])('refuses %s with %s', (text, code) => expect(refused(text)).toBe(code));

it('takes a sequence of 36 characters, and an empty one', () => {
  expect(refused(`{"key_id":"${ID}","sequence":"919c82d4-8046-4722-9094-35c3c6524cff"}`)).toEqual({
    key_id: ID,
    sequence: '919c82d4-8046-4722-9094-35c3c6524cff',
  });
  expect(refused(`{"key_id":"${ID}","sequence":""}`)).toMatchObject({ key_id: ID });
});

it('reads a query as a form does, the first of equal names', () => {
  const Query = z.object({ name: z.string().optional(), limit: integer('KMS.1601', 1, 9).optional() });
  expect(readQuery(Query, '/v3/projects?name=eu+de%2D1&name=other&limit=3')).toEqual({ name: 'eu de-1', limit: 3 });
  expect(readQuery(Query, '/v3/projects')).toEqual({});
  expect(() => readQuery(Query, '/?limit=10')).toThrow('Invalid limit.');
});

it.each([
  [ID, ID],
  ['alias/a-b', 'alias/a-b'],
  ['urn:kms:eu-de:0123:alias/a-b', 'alias/a-b'],
])('reads the name of a key: %s', (given, name) => expect(KeyName.parse(given)).toBe(name));

it.each(['', 'byok-1', 'alias/', 'alias/a b', `${ID}0`])('does not read as the name of a key: %s', (given) =>
  expect(KeyName.safeParse(given).success).toBe(false),
);

it('does not let a key be called as the default keys of the vendor are', () => {
  expect(['a', 'a/default', 'a b', ''].map((alias) => KeyAlias.safeParse(alias).success)).toEqual([
    true,
    false,
    false,
    false,
  ]);
});

it('reads base64 and hexadecimal strictly, blanks in hexadecimal aside', () => {
  expect(base64('KMS.0308', 4, 8).parse('AAEC')).toEqual(Buffer.from([0, 1, 2]));
  for (const bad of ['AAE', 'AAE_', 'AA==AA==', 'AAF=', 'AAECAAECAAEC']) {
    expect(base64('KMS.0308', 4, 8).safeParse(bad).success).toBe(false);
  }
  expect(hex('KMS.2101', 8).parse('00 fF\n01')).toEqual(Buffer.from([0, 255, 1]));
  for (const bad of ['', '0', '0g', '0011223344']) expect(hex('KMS.2101', 8).safeParse(bad).success).toBe(false);
});

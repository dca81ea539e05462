import { z } from 'zod';
import {
  AliasName,
  Base64,
  EncryptionContext,
  Int,
  KeyId,
  KeyOrAlias,
  keyNamed,
  readParameters,
  TagList,
} from './parameters.js';

const ID = '1339cb7d-54d3-47e0-b595-c7d3dba80000';
const read = (shape: z.ZodRawShape, parameters: Record<string, string>) =>
  readParameters(z.object(shape), new Map(Object.entries(parameters)));
const refused = (reason: string, message: unknown = expect.any(String)) => expect.objectContaining({ reason, message });

it('does not look at parameters that the operation does not know, and takes an empty one as absent', () => {
  expect(read({ PageSize: Int(1, 100).default(10) }, { PageSize: '', Other: 'x', __proto__: 'x' })).toEqual({
    PageSize: 10,
  });
});

it('names what is missing, and what is not valid', () => {
  expect(() => read({ KeyId }, {})).toThrow(
    refused('MissingParameter', 'The parameter "KeyId" is needed but not provided.'),
  );
  expect(() => read({ PageSize: Int(1, 100) }, { PageSize: '0' })).toThrow(
    refused(
      'InvalidParameter',
      'The specified parameter "PageSize" is not valid. It must be an integer between 1 and 100.',
    ),
  );
  expect(() => read({ KeyId }, { KeyId: 'a\0' })).toThrow(refused('InvalidParameter'));
});

it('reads numbered lists by their numbers', () => {
  const Tag = z.array(z.object({ Key: z.string(), Value: z.string().default('') }));
  const given = { 'Tag.10.Key': 'c', 'Tag.2.Key': 'b', 'Tag.1.Value': '', 'Tag.1.Key': 'a', 'Tag.2.Value': 'x' };
  expect(read({ Tag }, given)).toEqual({
    Tag: [
      { Key: 'a', Value: '' },
      { Key: 'b', Value: 'x' },
      { Key: 'c', Value: '' },
    ],
  });
  const ids = { 'ResourceId.2': 'b', 'ResourceId.1': 'a' };
  expect(read({ ResourceId: z.array(z.string()) }, ids)).toEqual({ ResourceId: ['a', 'b'] });
});

it('takes an encryption context whatever its order, and nothing but strings in it', () => {
  const context = (text: string) => read({ EncryptionContext }, { EncryptionContext: text })['EncryptionContext'];
  expect(context('{"b":"2","a":"1"}')).toEqual(['a', '1', 'b', '2']);
  expect(context('{"a":"1","b":"2"}')).toEqual(['a', '1', 'b', '2']);
  expect(read({ EncryptionContext }, {})).toEqual({ EncryptionContext: [] });
  for (const bad of [
    '[]',
    '{"a":1}',
    '{"a":["1"]}',
    '{"a":"1","a":"1"}',
    '"a"',
    'null',
    'a',
    `{"a":"${'x'.repeat(8192)}"}`,
  ]) {
    expect(() => context(bad)).toThrow(refused('InvalidParameter', expect.stringContaining('"EncryptionContext"')));
  }
});

it.each([
  [ID, ID],
  [ID.toUpperCase(), ID],
  [`acs:kms:cn-hangzhou:1234:key/${ID}`, ID],
  ['alias/a/b-c_1', 'alias/a/b-c_1'],
  ['acs:kms:local:x:alias/a', 'alias/a'],
  ['alias/', undefined],
  ['alias/a b', undefined],
  ['shoe', undefined],
  [`key-${ID}`, undefined],
  ['', undefined],
])('takes %j for the key %j', (text, name) => {
  expect(keyNamed(text)).toBe(name);
});

it('knows where an alias does not do', () => {
  expect(read({ KeyId: KeyOrAlias }, { KeyId: 'alias/a' })).toEqual({ KeyId: 'alias/a' });
  expect(() => read({ KeyId }, { KeyId: 'alias/a' })).toThrow(refused('Unsupported.Alias'));
  expect(() => read({ KeyId }, { KeyId: 'shoe' })).toThrow(refused('Forbidden.KeyNotFound'));
});

it.each(['alias/acs/kms', 'a', 'alias/', 'alias/é', `alias/${'a'.repeat(256)}`])(
  'refuses the alias %j',
  (AliasNameText) => {
    expect(() => read({ AliasName }, { AliasName: AliasNameText })).toThrow(refused('InvalidParameter'));
  },
);

it('reads base64 of no more than so many bytes', () => {
  const bytes = (text: string) => read({ Plaintext: Base64(3) }, { Plaintext: text })['Plaintext'];
  expect(bytes('YWJj')).toEqual(Buffer.from('abc'));
  expect(bytes('YW\r\nJj')).toEqual(Buffer.from('abc'));
  for (const bad of ['YWJjZA==', 'YW', 'Y W J', '_-_-']) expect(() => bytes(bad)).toThrow(refused('InvalidParameter'));
});

it('reads tags as names with values', () => {
  const tags = (Tags: string) => read({ Tags: TagList }, { Tags })['Tags'];
  expect(tags('[{"TagKey":"a","TagValue":"1"},{"TagKey":"b"}]')).toEqual({ a: '1', b: '' });
  for (const bad of ['[]', '{}', '[{"TagKey":""}]', JSON.stringify(Array(21).fill({ TagKey: 'a' }))]) {
    expect(() => tags(bad)).toThrow(refused('InvalidParameter'));
  }
});

import { z } from 'zod';
import { readBody } from './body.js';
import { WireError } from './refusals.js';
import { Base64, Collection } from './wire.js';

const Inner = z.strictObject({ keyRingID: z.string().min(2, 'between 2 and 100 characters').optional() });
const Schema = z.strictObject({ name: z.string(), inner: Inner.optional(), list: z.array(Inner).default([]) });
const read = (text: string, schema: z.ZodType = Schema) => readBody(schema, Buffer.from(text));
const refused = (code: string, message: unknown = expect.any(String)) => expect.objectContaining({ code, message });

it('matches member names whatever their case, also inside', () => {
  const text = '{"NAME":"a","Inner":{"KeyRingID":"xy"},"list":[{"KEYRINGID":"zz"}]}';
  expect(read(text)).toEqual({ name: 'a', inner: { keyRingID: 'xy' }, list: [{ keyRingID: 'zz' }] });
});

it('takes a member that is null as absent', () => {
  expect(read('{"name":"a","inner":null}')).toEqual({ name: 'a', list: [] });
});

it.each([
  ['an unknown member', '{"name":"a","x":1}', 'json: unknown field "x"'],
  ['an unknown member that is null', '{"name":"a","x":null}', 'json: unknown field "x"'],
  ['a member in two spellings', '{"name":"a","Name":"b"}', 'the field "name" occurs twice'],
  ['a member of another type', '{"name":5}', 'json: cannot unmarshal number into name of type string'],
  ['an array', '[]', 'json: cannot unmarshal array into the body of type object'],
  ['half of it', '{"name":', expect.stringContaining('not strict JSON')],
  ['__proto__', '{"__proto__":{}}', expect.stringContaining('__proto__')],
])('refuses %s', (_title, text, message) => {
  expect(() => read(text)).toThrow(refused('BAD_REQUEST', message));
});

it('names the field whose value is not allowed', () => {
  const target = { type: 'field', name: 'keyRingID' };
  expect(() => read('{"name":"a","inner":{"keyRingID":"x"}}')).toThrow(
    expect.objectContaining({ code: 'FIELD_INVALID', message: 'between 2 and 100 characters', target }),
  );
});

it.each(['', ' \r\n', 'null'])('takes %j as no body', (text) => {
  expect(() => read(text)).toThrow(refused('BODY_MISSING'));
  expect(read(text, Schema.optional())).toBeUndefined();
});

it('takes {} as no body where the body is optional', () => {
  expect(read('{}', Schema.optional())).toBeUndefined();
  expect(() => read('{}')).toThrow(refused('FIELD_INVALID'));
});

it('holds the total of a collection against its resources', () => {
  const schema = Collection(Inner, 5);
  expect(read('{"metadata":{"collectionTotal":1},"resources":[{}]}', schema)).toEqual([{}]);
  expect(() => read('{"metadata":{"collectionTotal":2},"resources":[{}]}', schema)).toThrow(WireError);
  expect(() => read('{"resources":[{}]}', schema)).toThrow(refused('BAD_REQUEST', 'CollectionMetadata is empty'));
});

it.each([
  ['AAA*', 3],
  ['A===', 1],
  ['AAAAA', 5],
  ['*', 0],
  ['AA=A', 2],
])('says where the base64 of %s ends: %i', (text, at) => {
  const schema = z.strictObject({ payload: Base64('base64') });
  const message = `base64: illegal base64 data at input byte ${at}`;
  expect(() => read(JSON.stringify({ payload: text }), schema)).toThrow(refused('FIELD_INVALID', message));
});

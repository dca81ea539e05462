import { z } from 'zod';
import { CrnQuery, Flag, Int, ListQuery, readQuery } from './query.js';

const Schema = z.object({ limit: Int(1, 5000), force: Flag, crn: CrnQuery });

it('trims, joins what is repeated, leaves out what is empty or unknown', () => {
  const read = readQuery(ListQuery, { state: ['1', '2'], sort: ' name ', filter: ' state=1', offset: '', x: '1' });
  expect(read).toEqual({ state: '1,2', sort: 'name', filter: 'state=1' });
});

it('takes the comma from the end of a search, as the Go client sends it', () => {
  expect(readQuery(ListQuery, { search: 'foo,' })).toEqual({ search: 'foo' });
});

it.each(['true', 'True', 'TRUE'])('takes %s as true', (word) => {
  expect(readQuery(Schema, { force: word })).toEqual({ force: true });
});

it.each(['crn:v1:*', 'crn%3Av1%3A*'])('reads the CRN %s', (text) => {
  expect(readQuery(Schema, { crn: text })).toEqual({ crn: 'crn:v1:*' });
});

it.each([
  ['limit', '0', 'an integer between 1 and 5000 (inclusive)'],
  ['limit', '1.5', 'an integer between 1 and 5000 (inclusive)'],
  ['limit', '1e3', 'an integer between 1 and 5000 (inclusive)'],
  ['force', 'yes', 'true or false'],
  ['crn', '%ff', 'a URL encoded CRN'],
  ['anything', 'a\0', 'text without NUL'],
])('refuses %s=%s', (name, value, message) => {
  const target = { type: 'query_param', name };
  expect(() => readQuery(Schema, { [name]: value })).toThrow(
    expect.objectContaining({ code: 'QUERY_INVALID', message, target }),
  );
});

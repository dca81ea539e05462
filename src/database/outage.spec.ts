import { QueryFailedError } from 'typeorm';
import { KeysteadError } from '../shared/errors.js';
import { databaseOutage } from './outage.js';

const withCode = (code: string, syscall?: string) =>
  Object.assign(new Error('x'), { code, ...(syscall && { syscall }) });

it.each([
  ['nobody listens', withCode('ECONNREFUSED')],
  ['the socket is gone', withCode('ENOENT', 'connect')],
  ['it shuts down', withCode('57P01')],
  ['it starts up', withCode('57P03')],
  ['pg lost the connection', new Error('Connection terminated unexpectedly')],
  ['TypeORM wrapped it', new QueryFailedError('SELECT 1', [], withCode('57P01'))],
  ['node tried several addresses', new AggregateError([withCode('ECONNREFUSED'), withCode('ECONNREFUSED')])],
])('is an outage when %s', (_what, cause) => {
  expect(databaseOutage(cause)).toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
});

it.each([
  ['a constraint refused', new QueryFailedError('INSERT', [], withCode('23505'))],
  ['a file is missing', withCode('ENOENT', 'open')],
  ['it is a refusal of ours', new KeysteadError('UNIT_STATE', 'no')],
  ['it is no error', 'ECONNREFUSED'],
])('is none when %s', (_what, cause) => {
  expect(databaseOutage(cause)).toBeUndefined();
});

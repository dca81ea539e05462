import fc from 'fast-check';
import { KeysteadError } from '../shared/errors.js';
import { parseListQuery, type RawListQuery } from './list-filter.js';

const refused = (raw: RawListQuery, name: string) =>
  expect(() => parseListQuery(raw)).toThrow(
    expect.objectContaining({ code: 'QUERY_INVALID', target: { type: 'query_param', name } }),
  );

it('without parameters shows the first 200 keys that are not destroyed, by id', () => {
  expect(parseListQuery({})).toEqual({
    limit: 200,
    offset: 0,
    states: [0, 1, 2, 3],
    extractable: undefined,
    dates: [],
    sort: [],
    search: null,
  });
});

describe('limit and offset', () => {
  it.each(['0', '5001', '-1', 'x', '1.5', ''])('refuses the limit %p', (limit) => refused({ limit }, 'limit'));
  it.each(['-1', 'x', '1e3'])('refuses the offset %p', (offset) => refused({ offset }, 'offset'));
  it('takes 1 to 5000', () => {
    expect(parseListQuery({ limit: '5000', offset: '0' })).toMatchObject({ limit: 5000, offset: 0 });
  });
  it('refuses what is given twice', () => refused({ limit: ['1', '2'] }, 'limit'));
});

describe('state and extractable', () => {
  it.each([
    ['1,5', [1, 5]],
    [
      ['1', '2'],
      [1, 2],
    ],
    ['0,1,2,3,5', [0, 1, 2, 3, 5]],
  ])('reads the states %p', (state, states) => expect(parseListQuery({ state }).states).toEqual(states));
  it.each(['4', '1,', '1, 2', '', '6', 'active'])('refuses the states %p', (state) => refused({ state }, 'state'));
  it.each([
    ['true', true],
    ['True', true],
    ['FALSE', false],
  ])('reads extractable %s', (text, extractable) => {
    expect(parseListQuery({ extractable: text })).toMatchObject({ extractable });
  });
  it('refuses another word', () => refused({ extractable: 'yes' }, 'extractable'));
  it('cannot stand beside the same condition in the filter', () => {
    refused({ state: '1', filter: 'state=1' }, 'state');
    refused({ extractable: 'true', filter: 'extractable=true' }, 'extractable');
  });
});

describe('sort', () => {
  it('takes several properties, - for descending', () => {
    expect(parseListQuery({ sort: '-creationDate,id' }).sort).toEqual([
      { field: 'createdAt', descending: true },
      { field: 'id', descending: false },
    ]);
  });
  it.each(['name', 'creationDate,', '--id', 'constructor'])('refuses %p', (sort) => refused({ sort }, 'sort'));
});

describe('search', () => {
  it.each([
    ['foo', { text: 'foo', not: false, exact: false, scopes: [] }],
    ['foo,', { text: 'foo', not: false, exact: false, scopes: [] }],
    ['name:exact:foo', { text: 'foo', not: false, exact: true, scopes: ['name'] }],
    ['exact:name:foo', { text: 'foo', not: false, exact: true, scopes: ['name'] }],
    ['not:alias:name:foo', { text: 'foo', not: true, exact: false, scopes: ['alias', 'name'] }],
    ['escape:not:foo', { text: 'not:foo', not: false, exact: false, scopes: [] }],
    ['exact:escape:alias:x', { text: 'alias:x', not: false, exact: true, scopes: [] }],
    ['a:b', { text: 'a:b', not: false, exact: false, scopes: [] }],
    ['', null],
    [',', null],
  ])('reads %p', (search, found) => expect(parseListQuery({ search }).search).toEqual(found));
});

describe('filter', () => {
  const date = '"2024-05-01T10:00:00.123456789Z"';
  it('reads conditions separated by blanks, with a blank before them too', () => {
    const page = parseListQuery({
      filter: ` creationDate=gte:${date} expirationDate=none state=1,2 extractable=False`,
    });
    expect(page).toMatchObject({
      states: [1, 2],
      extractable: false,
      dates: [
        { field: 'createdAt', op: 'gte', value: new Date('2024-05-01T10:00:00.123Z') },
        { field: 'expiresAt', op: 'on', value: null },
      ],
    });
  });
  it.each([
    ['lt:', 'lt'],
    ['lte:', 'lte'],
    ['gt:', 'gt'],
    ['gte:', 'gte'],
    ['', 'on'],
  ])('knows the operator %p', (prefix, op) => {
    expect(parseListQuery({ filter: `deletionDate=${prefix}${date}` }).dates[0]).toMatchObject({ op });
  });
  it.each([
    'creationDate=2024-05-01T10:00:00Z',
    'creationDate="2024-05-01"',
    'creationDate="2024-13-01T10:00:00Z"',
    'creationDate=gt:none',
    'creationDate="',
    'name=x',
    'state=gt:1',
    'state=4',
    'extractable=1',
    'state=1 state=2',
    'state',
    '=1',
    '__proto__=1',
    `${'creationDate=none '.repeat(4)}`,
  ])('refuses %p', (filter) => refused({ filter }, 'filter'));
});

it('whatever it is given, it answers or refuses', () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom(...'creationDate=lt:"2024-1T, None15'.split('')) }),
  );
  fc.assert(
    fc.property(
      fc.record({ filter: text, search: text, sort: text, state: text, limit: text }, { requiredKeys: [] }),
      (raw) => {
        try {
          parseListQuery(raw);
        } catch (cause) {
          expect(cause).toBeInstanceOf(KeysteadError);
        }
      },
    ),
  );
});

import { FieldError } from '../shared/errors.js';
import { DESTROYED, KEY_STATES, type KeyState } from './key-state.js';
import { parseSearch } from './list-search.js';

export type DateField = 'createdAt' | 'updatedAt' | 'rotatedAt' | 'deletedAt' | 'expiresAt';
export type SortField = DateField | 'id' | 'state' | 'extractable' | 'imported';

export interface DateCondition {
  readonly field: DateField;
  /** on: at any time of that day, UTC. */
  readonly op: 'on' | 'lt' | 'lte' | 'gt' | 'gte';
  /** null: unset (`none`). */
  readonly value: Date | null;
}

/** Which keys. */
export interface KeyFilter {
  readonly states: readonly KeyState[];
  readonly extractable?: boolean | undefined;
  readonly dates: readonly DateCondition[];
}

export interface KeySearch {
  readonly text: string;
  readonly not: boolean;
  readonly exact: boolean;
  /** As the client named them; none: both. */
  readonly scopes: readonly ('name' | 'alias')[];
}

export interface SortKey {
  readonly field: SortField;
  readonly descending: boolean;
}

/** Which keys, in which order, and which part of them. */
export interface KeyPage extends KeyFilter {
  readonly limit: number;
  readonly offset: number;
  readonly sort: readonly SortKey[];
  readonly search: KeySearch | null;
}

export interface SearchEcho {
  readonly query: string;
  readonly scopes: readonly ('name' | 'alias')[];
  readonly not: boolean;
  readonly exact: boolean;
}

type Raw = string | readonly string[] | undefined;
/** The query of GET /keys as it came: texts, repeated parameters as arrays. */
export type RawListQuery = {
  readonly [name in 'limit' | 'offset' | 'state' | 'extractable' | 'search' | 'sort' | 'filter']?: Raw;
};

const LIMIT = { most: 5000, otherwise: 200 } as const;
const MOST_CONDITIONS = 3;
const MOST_OFFSET = 2 ** 31 - 1;
const SHOWN_BY_DEFAULT = KEY_STATES.filter((state) => state !== DESTROYED);

const SORTABLE: Readonly<Record<string, SortField>> = {
  id: 'id',
  state: 'state',
  extractable: 'extractable',
  imported: 'imported',
  creationDate: 'createdAt',
  lastUpdateDate: 'updatedAt',
  lastRotateDate: 'rotatedAt',
  deletionDate: 'deletedAt',
  expirationDate: 'expiresAt',
};
const DATES: Readonly<Record<string, DateField>> = {
  creationDate: 'createdAt',
  lastUpdateDate: 'updatedAt',
  lastRotateDate: 'rotatedAt',
  deletionDate: 'deletedAt',
  expirationDate: 'expiresAt',
};
const RFC3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;
const CONDITION = /^([A-Za-z]+)=(?:(lt|lte|gt|gte):)?("[^"]*"|[^"\s]+)$/;

/** What the query asks for. QUERY_INVALID, a FieldError that names the parameter. */
export function parseListQuery(raw: RawListQuery): KeyPage {
  const filter = parseFilter(oneOf(raw.filter, 'filter'));
  const states = raw.state === undefined ? undefined : parseStates([raw.state].flat().join(','), 'state');
  const given = oneOf(raw.extractable, 'extractable');
  const extractable = given === undefined ? undefined : parseBoolean(given, 'extractable');
  if (states !== undefined && filter.states !== undefined)
    throw refused('state', 'absent when the filter names states');
  if (extractable !== undefined && filter.extractable !== undefined) {
    throw refused('extractable', 'absent when the filter has it');
  }
  return {
    limit: parseWhole(oneOf(raw.limit, 'limit'), 'limit', 1, LIMIT.most) ?? LIMIT.otherwise,
    offset: parseWhole(oneOf(raw.offset, 'offset'), 'offset', 0, MOST_OFFSET) ?? 0,
    states: states ?? filter.states ?? SHOWN_BY_DEFAULT,
    extractable: extractable ?? filter.extractable,
    dates: filter.dates,
    sort: parseSort(raw.sort === undefined ? undefined : [raw.sort].flat().join(',')),
    search: parseSearch(oneOf(raw.search, 'search')),
  };
}

function parseFilter(text: string | undefined): {
  states?: readonly KeyState[];
  extractable?: boolean;
  dates: readonly DateCondition[];
} {
  const found: { states?: readonly KeyState[]; extractable?: boolean; dates: DateCondition[] } = { dates: [] };
  const seen = new Map<string, number>();
  for (const word of (text ?? '').trim().match(/(?:"[^"]*"?|[^\s"])+/g) ?? []) {
    const [, property = '', op, value = ''] = CONDITION.exec(word) ?? [];
    const count = (seen.get(property) ?? 0) + 1;
    seen.set(property, count);
    if (count > MOST_CONDITIONS)
      throw refused('filter', `a list with at most ${MOST_CONDITIONS} conditions on one property`);
    const field = Object.hasOwn(DATES, property) ? DATES[property] : undefined;
    if (field !== undefined) found.dates.push(dateCondition(field, op, value));
    else if (property === 'state' && op === undefined && count === 1) found.states = parseStates(value, 'filter');
    else if (property === 'extractable' && op === undefined && count === 1)
      found.extractable = parseBoolean(value, 'filter');
    else throw refused('filter', FILTER_FORM);
  }
  return found;
}

const FILTER_FORM =
  'a list, separated by blanks, of property=operator:value with the properties creationDate, deletionDate, expirationDate, extractable, lastRotateDate, lastUpdateDate, state and the operators lt, lte, gt, gte or none';

function dateCondition(field: DateField, op: string | undefined, value: string): DateCondition {
  const quoted = /^"(.*)"$/.exec(value)?.[1];
  if (quoted === undefined) {
    if (value.toLowerCase() === 'none' && op === undefined) return { field, op: 'on', value: null };
    throw refused('filter', 'a list whose dates are in double quotes, as RFC 3339 writes them, or none');
  }
  const date = new Date(quoted.toUpperCase().replace(' ', 'T'));
  if (!RFC3339.test(quoted) || Number.isNaN(date.getTime())) {
    throw refused('filter', 'a list whose dates are as RFC 3339 writes them');
  }
  return { field, op: (op as DateCondition['op'] | undefined) ?? 'on', value: date };
}

function parseStates(text: string, parameter: string): KeyState[] {
  const states = text.split(',').map((word) => KEY_STATES.find((state) => String(state) === word));
  if (states.includes(undefined)) {
    throw refused(parameter, 'a list of states, integers of 0, 1, 2, 3 and 5, separated by commas without blanks');
  }
  return [...new Set(states as KeyState[])];
}

function parseSort(text: string | undefined): SortKey[] {
  if (text === undefined || text === '') return [];
  return text.split(',').map((word) => {
    const descending = word.startsWith('-');
    const name = descending ? word.slice(1) : word;
    const field = Object.hasOwn(SORTABLE, name) ? SORTABLE[name] : undefined;
    if (field === undefined)
      throw refused('sort', `a list of ${Object.keys(SORTABLE).join(', ')}, each with - for descending`);
    return { field, descending };
  });
}

function parseBoolean(text: string, parameter: string): boolean {
  const word = text.toLowerCase();
  if (word !== 'true' && word !== 'false') throw refused(parameter, 'true or false');
  return word === 'true';
}

function parseWhole(text: string | undefined, parameter: string, least: number, most: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text.trim());
  if (/^\s*[+-]?\d+\s*$/.test(text) && value >= least && value <= most) return value;
  const range = parameter === 'limit' ? `between ${least} and ${most} (inclusive)` : `of at least ${least}`;
  throw refused(parameter, `an integer ${range}`);
}

function oneOf(raw: Raw, parameter: string): string | undefined {
  if (raw === undefined || typeof raw === 'string') return raw;
  if (raw.length === 1) return raw[0];
  throw refused(parameter, 'given once');
}

function refused(name: string, must: string): FieldError {
  return new FieldError('QUERY_INVALID', `The query parameter \`${name}\` must be: ${must}`, {
    type: 'query_param',
    name,
  });
}

import { FieldError, KeysteadError, needs } from '../shared/errors.js';
import type { Key } from './key.entity.js';

const ALIAS = /^[A-Za-z0-9_-]{2,90}$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const TAG = /^[^<>,:&|]{0,30}$/u;
export const MOST_ALIASES = 5;
const MOST_TAGS = 30;
const DAY_MS = 86_400_000;

/** Words that stand where an alias could in a path. */
export const RESERVED_ALIASES: readonly string[] = [
  'allowed_ip',
  'key',
  'keys',
  'metadata',
  'policy',
  'policies',
  'registration',
  'registrations',
  'ring',
  'rings',
  'rotate',
  'wrap',
  'unwrap',
  'rewrap',
  'version',
  'versions',
];

/** A FieldError with IBM's sentence: the field `x` must be: … */
export function fieldRefused(name: string, must: string): FieldError {
  return new FieldError('FIELD_INVALID', `The field \`${name}\` must be: ${must}`, { type: 'field', name });
}

/** Throws KEY_NOT_ROOT for a standard key. */
export function assertRoot({ extractable }: Pick<Key, 'extractable'>): void {
  needs(!extractable, 'KEY_NOT_ROOT', 'Requested action can only be completed with a root key.');
}

/** Throws FIELD_INVALID unless a key can be so called besides. */
export function assertAlias(alias: string): void {
  if (ALIAS.test(alias) && !UUID.test(alias) && !RESERVED_ALIASES.includes(alias)) return;
  throw fieldRefused('alias', 'between 2 and 90 characters of A-Z a-z 0-9 _ -, not a UUID, and not a reserved word');
}

/** Throws FIELD_INVALID unless all aliases of a key are good, different, and not too many. */
export function assertAliases(aliases: readonly string[]): void {
  for (const alias of aliases) assertAlias(alias);
  const few = aliases.length <= MOST_ALIASES && new Set(aliases).size === aliases.length;
  if (!few) throw fieldRefused('aliases', `at most ${MOST_ALIASES} different aliases`);
}

/** Throws FIELD_INVALID unless name, description, tags and expiration are what a key can have. */
export function assertAttributes({ name, description, tags = [], expiresAt }: Attributes, now: Date): void {
  if (!between(name, 2, 90)) throw fieldRefused('name', 'between 2 and 90 characters');
  if (description !== undefined && !between(description, 2, 240)) {
    throw fieldRefused('description', 'between 2 and 240 characters');
  }
  if (tags.length > MOST_TAGS || !tags.every((tag) => TAG.test(tag))) {
    throw fieldRefused('tags', 'at most 30 tags of up to 30 characters, without < > , : & |');
  }
  const future = expiresAt === undefined || (expiresAt > now && !Number.isNaN(expiresAt.getTime()));
  if (!future) throw fieldRefused('expirationDate', 'a date in the future, as RFC 3339 writes it');
}

interface Attributes {
  readonly name: string;
  readonly description?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly expiresAt?: Date | undefined;
}

/** A length in characters, and none that a database or a terminal cannot take. */
function between(text: string, least: number, most: number): boolean {
  const length = [...text].length;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  return length >= least && length <= most && !/[\u0000-\u001f\u007f]/.test(text);
}

/** For audit lines: when the key expires, and in how many days. */
export function daysToExpiry({ expiresAt }: Pick<Key, 'expiresAt'>, now: Date): object {
  if (expiresAt === null) return {};
  return { expirationDate: expiresAt, daysToKeyExpire: Math.floor((expiresAt.getTime() - now.getTime()) / DAY_MS) };
}

/** Throws KEY_EXPIRED for a key whose time has run out. */
export function assertNotExpired({ expiresAt }: Pick<Key, 'expiresAt'>, now: Date): void {
  if (expiresAt === null || expiresAt > now) return;
  throw new KeysteadError('KEY_EXPIRED', 'The action could not be performed on the key because the key is expired.');
}

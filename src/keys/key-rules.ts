import { FieldError, KeysteadError, needs } from '../shared/errors.js';
import { isUuid } from '../shared/uuid.js';
import type { Key } from './key.entity.js';
import { isAsymmetric } from './key-kinds.js';

const ALIAS = /^[A-Za-z0-9:/_-]{1,255}$/;
const TAG = /^[^<>,:&|]{0,30}$/u;
const MOST_TAGS = 30;
const MOST_NAME = 255;
const MOST_DESCRIPTION = 8_192;
export const DAY_MS = 86_400_000;

/** A FieldError with IBM's sentence: the field `x` must be: … */
export function fieldRefused(name: string, must: string): FieldError {
  return new FieldError('FIELD_INVALID', `The field \`${name}\` must be: ${must}`, { type: 'field', name });
}

/** Throws KEY_NOT_ROOT for a standard key. */
export function assertRoot({ extractable }: Pick<Key, 'extractable'>): void {
  needs(!extractable, 'KEY_NOT_ROOT', 'Requested action can only be completed with a root key.');
}

/** Throws KEY_NOT_ROOT for a standard key, KEY_ASYMMETRIC for one that does not encrypt. */
export function assertSymmetric(key: Pick<Key, 'extractable' | 'algorithm'>): void {
  assertRoot(key);
  const { algorithm } = key;
  needs(!isAsymmetric(algorithm), 'KEY_ASYMMETRIC', `the key is ${algorithm}: it signs, and does not encrypt`);
}

/** Throws KEY_USAGE for a key that does not sign. */
export function assertAsymmetric({
  algorithm,
  usage,
  extractable,
}: Pick<Key, 'algorithm' | 'usage' | 'extractable'>): void {
  const signs = !extractable && usage === 'SIGN_VERIFY' && isAsymmetric(algorithm);
  needs(signs, 'KEY_USAGE', `the key is ${algorithm}: it encrypts, and does not sign`);
}

/** Throws KEY_NOT_EXTERNAL for a key whose material is Keystead's own or came with the key. */
export function assertExternal({ external }: Pick<Key, 'external'>): void {
  needs(external, 'KEY_NOT_EXTERNAL', 'the key is not external: it has its material for good');
}

/** Throws KEY_EXTERNAL for a key that always keeps the material its owner brought. */
export function assertGenerated({ external, imported }: Pick<Key, 'external' | 'imported'>): void {
  needs(
    !external && !imported,
    'KEY_EXTERNAL',
    'the key has material of its owner: Keystead cannot make new one for it',
  );
}

/** How keys may be called besides, and by how many names. Dialects have narrower ones. */
export interface AliasRules {
  /** Aliases of one key. */
  readonly most: number;
  /** Throws FIELD_INVALID. */
  readonly assert: (alias: string) => void;
}

/** Throws FIELD_INVALID unless a key can be so called besides. */
export function assertAlias(alias: string): void {
  if (ALIAS.test(alias) && !isUuid(alias)) return;
  throw fieldRefused('alias', 'between 1 and 255 characters of A-Z a-z 0-9 : / _ -, and not a UUID');
}

export const ALIAS_RULES: AliasRules = { most: 50, assert: assertAlias };

/** Throws FIELD_INVALID unless all aliases of a key are good, different, and not too many. */
export function assertAliases(aliases: readonly string[]): void {
  for (const alias of aliases) assertAlias(alias);
  const { most } = ALIAS_RULES;
  const few = aliases.length <= most && new Set(aliases).size === aliases.length;
  if (!few) throw fieldRefused('aliases', `at most ${most} different aliases`);
}

/** Throws FIELD_INVALID unless name, description, tags and expiration are what a key can have. */
export function assertAttributes({ name, description, tags = [], expiresAt }: Attributes, now: Date): void {
  assertName(name);
  assertDescription(description ?? null);
  if (tags.length > MOST_TAGS || !tags.every((tag) => TAG.test(tag))) {
    throw fieldRefused('tags', 'at most 30 tags of up to 30 characters, without < > , : & |');
  }
  const future = expiresAt === undefined || (expiresAt > now && !Number.isNaN(expiresAt.getTime()));
  if (!future) throw fieldRefused('expirationDate', 'a date in the future, as RFC 3339 writes it');
}

/** Throws FIELD_INVALID unless a key can have this name. */
export function assertName(name: string): void {
  if (!between(name, 1, MOST_NAME)) throw fieldRefused('name', `between 1 and ${MOST_NAME} characters`);
}

/** Throws FIELD_INVALID unless a key can have this description. */
export function assertDescription(description: string | null): void {
  const good = description === null || between(description.replace(/[\t\r\n]/g, ' '), 0, MOST_DESCRIPTION);
  if (!good) throw fieldRefused('description', `at most ${MOST_DESCRIPTION} characters`);
}

interface Attributes {
  readonly name: string;
  readonly description?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly expiresAt?: Date | undefined;
}

/** Throws FIELD_INVALID unless the number is whole and within the limits. */
export function assertWhole(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw fieldRefused(name, `a whole number from ${least} to ${most}`);
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

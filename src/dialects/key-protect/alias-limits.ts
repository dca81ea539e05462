import { type AliasRules, fieldRefused } from '../../keys/key-rules.js';
import { Text } from './wire.js';

const ALIAS = /^[A-Za-z0-9_-]{2,90}$/;

/** Words that stand where an alias could in a path. */
const RESERVED_ALIASES: readonly string[] = [
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

const MUST = 'between 2 and 90 characters of A-Z a-z 0-9 _ -, not a UUID, and not a reserved word';

/** What clients of this dialect may call a key besides. */
export const ALIAS_RULES: AliasRules = {
  most: 5,
  assert: (alias) => {
    if (!isAlias(alias)) throw fieldRefused('alias', MUST);
  },
};

/** An alias in a body. */
export const Alias = Text(2, 90).refine(isAlias, MUST);

function isAlias(alias: string): boolean {
  return ALIAS.test(alias) && !RESERVED_ALIASES.includes(alias);
}

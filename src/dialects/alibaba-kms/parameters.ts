import { z } from 'zod';
import { KeysteadError } from '../../shared/errors.js';
import { parseStrictJson } from '../../shared/strict-json.js';
import { isUuid } from '../../shared/uuid.js';
import { AlibabaError, ParameterError } from './refusals.js';

const NUMBERED = /^([A-Za-z]+)\.([1-9][0-9]{0,2})(?:\.([A-Za-z]+))?$/;

/**
 * Checks an operation's parameters. An empty value is an absent one, `Tag.1.Key` and `ResourceId.1` are lists, a
 * parameter that the operation does not know is not looked at. MissingParameter, InvalidParameter, or what the schema throws.
 */
export function readParameters<Schema extends z.ZodType>(
  schema: Schema,
  parameters: ReadonlyMap<string, string>,
): z.output<Schema> {
  const values = nested(parameters);
  const checked = schema.safeParse(values);
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  const name = String(issue?.path[0] ?? '');
  if (values[name] === undefined) throw new ParameterError('MissingParameter', name);
  throw new ParameterError('InvalidParameter', name, issue?.message);
}

type Values = Record<string, string | (string | Record<string, string>)[]>;

function nested(parameters: ReadonlyMap<string, string>): Values {
  const values: Values = Object.create(null);
  const lists = new Map<string, Map<number, string | Record<string, string>>>();
  for (const [name, value] of parameters) {
    if (value.includes('\0')) throw new ParameterError('InvalidParameter', name, 'text without NUL');
    const [, list, at, member] = NUMBERED.exec(name) ?? [];
    if (list === undefined) {
      if (value !== '') values[name] = value;
      continue;
    }
    const items = lists.get(list) ?? new Map();
    const item = items.get(Number(at)) ?? Object.create(null);
    items.set(Number(at), member === undefined ? value : { ...item, [member]: value });
    lists.set(list, items);
  }
  for (const [list, items] of lists) {
    values[list] ??= [...items].sort(([a], [b]) => a - b).map(([, item]) => item);
  }
  return values;
}

/** A decimal integer. */
export function Int(least: number, most: number) {
  const message = `an integer between ${least} and ${most}`;
  return z
    .string()
    .regex(/^[0-9]{1,12}$/, message)
    .transform(Number)
    .refine((value) => value >= least && value <= most, message);
}

/** How lists are read in pages. */
export const Page = { PageNumber: Int(1, 1_000_000).default(1), PageSize: Int(1, 100).default(10) };

export const Flag = z.enum(['true', 'false'], 'true or false').transform((word) => word === 'true');

/** Text of at most so many characters. */
export function Text(most: number) {
  return z.string().max(most, `at most ${most} characters`);
}

/** Base64 (RFC 4648 section 4) of at least one and at most so many bytes; line ends in it do not matter. */
export function Base64(most: number) {
  return z.string().transform((text, context) => {
    const bare = text.replace(/[\r\n]/g, '');
    const bytes = Buffer.from(bare, 'base64');
    if (bytes.toString('base64') === bare && bytes.length > 0 && bytes.length <= most) return bytes;
    context.addIssue({ code: 'custom', message: `base64 of 1 to ${most} bytes` });
    return z.NEVER;
  });
}

/** A JSON text, as the schema reads its value. */
export function Json<Schema extends z.ZodType>(schema: Schema, message: string) {
  return z.string().transform((text, context): z.output<Schema> => {
    const checked = schema.safeParse(jsonIn(text));
    if (checked.success) return checked.data;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });
}

/** Undefined, which no JSON text means, for what is none. */
function jsonIn(text: string): unknown {
  try {
    return parseStrictJson(text, 'the parameter', 'FIELD_INVALID');
  } catch (cause) {
    if (cause instanceof KeysteadError && cause.code === 'FIELD_INVALID') return undefined;
    throw cause;
  }
}

const MOST_TAGS = 20;
const Tag = z.object({ TagKey: z.string().min(1), TagValue: z.string().default('') });

/** A JSON array of tags, as values by name. */
export const TagList = Json(
  z.array(Tag).min(1).max(MOST_TAGS),
  `a JSON array of 1 to ${MOST_TAGS} {"TagKey","TagValue"}`,
).transform(
  (tags): Record<string, string> => Object.fromEntries(tags.map(({ TagKey, TagValue }) => [TagKey, TagValue])),
);

const MOST_CONTEXT = 8_192;

/** An EncryptionContext as names and values in turns, sorted by name: the order in which it was written does not count. */
export const EncryptionContext = Text(MOST_CONTEXT)
  .pipe(Json(z.record(z.string(), z.string()), 'a JSON object whose values are strings'))
  .transform((context) =>
    Object.keys(context)
      .sort()
      .flatMap((name) => [name, context[name] as string]),
  )
  .default([]);

const ARN = /^acs:kms:[^:]*:[^:]*:(?:key\/(.+)|(alias\/.+))$/s;
const ALIAS = /^alias\/[A-Za-z0-9_/-]{1,255}$/;

/** The key's id, or its alias with `alias/` before it; undefined for what can name no key. */
export function keyNamed(text: string): string | undefined {
  const [, id, alias] = ARN.exec(text) ?? [];
  const name = alias ?? id ?? text;
  if (ALIAS.test(name)) return name;
  return isUuid(name) ? name.toLowerCase() : undefined;
}

/** A key by its id, ARN or alias. Forbidden.KeyNotFound for what can name none. */
export const KeyOrAlias = z.string().transform((text) => {
  const name = keyNamed(text);
  if (name === undefined) throw new AlibabaError('Forbidden.KeyNotFound', 'Give its id, its ARN or alias/….');
  return name;
});

/** A key by its id or ARN. Unsupported.Alias. */
export const KeyId = KeyOrAlias.transform((name) => {
  if (name.startsWith('alias/')) throw new AlibabaError('Unsupported.Alias');
  return name;
});

/** `alias/` and 1 to 255 of letters, digits, `_`, `/` and `-`. */
export const AliasName = z
  .string()
  .regex(ALIAS, 'alias/ and 1 to 255 of A-Z a-z 0-9 _ / -')
  .refine((name) => !name.startsWith('alias/acs'), 'none of those that begin with alias/acs');

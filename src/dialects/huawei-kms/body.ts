import { z } from 'zod';
import { messageOf } from '../../shared/errors.js';
import { parseStrictJson } from '../../shared/strict-json.js';
import { HuaweiRefusal, isKmsCode } from './refusals.js';

type Members = Readonly<Record<string, unknown>>;

/**
 * Reads a JSON body. The Content-Type does not matter; nothing is `{}`; a member that is null is absent; an unknown member
 * is not looked at. KMS.0202 for what is not a JSON object, KMS.0204 for a member that is missing, and for a value that
 * is not allowed the code that the schema has as its message.
 */
export function readBody<Schema extends z.ZodType>(schema: Schema, raw: Buffer | undefined): z.output<Schema> {
  return checked(schema, membersOf(raw));
}

/** Reads the query as form data, the first of equal names. Refuses as `readBody` does. */
export function readQuery<Schema extends z.ZodType>(schema: Schema, url: string): z.output<Schema> {
  const at = url.indexOf('?');
  const members: Record<string, string> = {};
  for (const [name, value] of at < 0 ? [] : new URLSearchParams(url.slice(at + 1))) {
    if (name !== '__proto__') members[name] ??= value;
  }
  return checked(schema, members);
}

function membersOf(raw: Buffer | undefined): Members {
  if (raw === undefined || raw.toString('latin1').trim() === '') return {};
  const value = parsed(raw);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new HuaweiRefusal('KMS.0202', 'the body is not a JSON object');
  }
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null));
}

function parsed(raw: Buffer): unknown {
  try {
    return parseStrictJson(raw, 'the body', 'BAD_REQUEST');
  } catch (cause) {
    throw new HuaweiRefusal('KMS.0202', messageOf(cause));
  }
}

/** What the schema makes of the members of an object. Refuses as `readBody` does. */
export function checked<Schema extends z.ZodType>(schema: Schema, members: Members): z.output<Schema> {
  const result = schema.safeParse(members);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0] as z.core.$ZodIssue;
  const name = path.join('.');
  if (path.length === 1 && !Object.hasOwn(members, name)) throw new HuaweiRefusal('KMS.0204', `${name} is missing`);
  if (isKmsCode(message)) throw new HuaweiRefusal(message);
  throw new HuaweiRefusal('KMS.0308', `${name}: ${message}`);
}

import { z } from 'zod';
import { FieldError, KeysteadError } from '../../shared/errors.js';
import { parseStrictJson } from '../../shared/strict-json.js';

/**
 * Reads a body as IBM's server does (Go's encoding/json): the Content-Type does not matter, nothing and `null` are no
 * body, member names match whatever their case, a member that is null is absent, an unknown member is refused.
 * BODY_MISSING, BAD_REQUEST for what does not have the shape, FIELD_INVALID (a FieldError) for a value that is not allowed.
 */
export function readBody<Schema extends z.ZodType>(schema: Schema, raw: Buffer | undefined): z.output<Schema> {
  const value = parsed(raw);
  if (value === undefined || isEmpty(value)) {
    const optional = schema.safeParse(undefined);
    if (optional.success) return optional.data;
  }
  if (value === undefined) throw new KeysteadError('BODY_MISSING', 'this operation wants a JSON object');
  const checked = schema.safeParse(folded(schema, value), { reportInput: true });
  if (checked.success) return checked.data;
  throw refusalOf(checked.error.issues[0] as z.core.$ZodIssue);
}

/** Of `{`, with which nearly every body begins. */
const BRACE = 0x7b;

/** `{}`, which clients send where a body is optional. */
function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0;
}

function parsed(raw: Buffer | undefined): unknown {
  if (raw === undefined || raw.length === 0) return undefined;
  if (raw[0] !== BRACE && raw.toString('latin1').trim() === '') return undefined;
  return parseStrictJson(raw, 'the body', 'BAD_REQUEST') ?? undefined;
}

/** The value with the member names of the schema, and without members that are null. */
function folded(schema: z.ZodType, value: unknown): unknown {
  const plain = unwrapped(schema);
  if (plain instanceof z.ZodArray && Array.isArray(value))
    return value.map((item) => folded(plain.element as z.ZodType, item));
  if (!(plain instanceof z.ZodObject) || typeof value !== 'object' || value === null || Array.isArray(value))
    return value;
  const shape = plain.shape as Readonly<Record<string, z.ZodType>>;
  const names = namesOf(shape);
  const members: Record<string, unknown> = {};
  for (const [given, member] of Object.entries(value)) {
    const name = names.get(given.toLowerCase()) ?? given;
    if (Object.hasOwn(members, name)) throw bad(`the field "${name}" occurs twice`);
    const inner = shape[name];
    members[name] = member === null || inner === undefined ? member : folded(inner, member);
    if (member === null && inner !== undefined) delete members[name];
  }
  return members;
}

const folds = new WeakMap<object, ReadonlyMap<string, string>>();

/** The member names by their lower-case forms. */
function namesOf(shape: object): ReadonlyMap<string, string> {
  const known = folds.get(shape);
  if (known !== undefined) return known;
  const names = new Map(Object.keys(shape).map((name) => [name.toLowerCase(), name]));
  folds.set(shape, names);
  return names;
}

const plains = new WeakMap<z.ZodType, z.ZodType>();

/** The schema below optional, default and transform. */
function unwrapped(schema: z.ZodType): z.ZodType {
  const known = plains.get(schema);
  if (known !== undefined) return known;
  const inner = innerOf(schema);
  const plain = inner === undefined ? schema : unwrapped(inner);
  plains.set(schema, plain);
  return plain;
}

function innerOf(schema: z.ZodType): z.ZodType | undefined {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodNullable)
    return schema.unwrap() as z.ZodType;
  return schema instanceof z.ZodPipe ? (schema.def.in as z.ZodType) : undefined;
}

function refusalOf(issue: z.core.$ZodIssue): KeysteadError {
  const name = String(issue.path.filter((step) => typeof step === 'string').at(-1) ?? '');
  if (issue.code === 'unrecognized_keys') return bad(`json: unknown field "${issue.keys[0]}"`);
  if (name === 'metadata' && issue.input === undefined) return bad('CollectionMetadata is empty');
  if (issue.code === 'invalid_type' && issue.input !== undefined) {
    return bad(`json: cannot unmarshal ${kindOf(issue.input)} into ${name || 'the body'} of type ${issue.expected}`);
  }
  if (name === '') return bad(issue.message);
  const constraint = issue.code === 'invalid_type' ? 'given' : issue.message;
  return new FieldError('FIELD_INVALID', constraint, { type: 'field', name });
}

function bad(detail: string): KeysteadError {
  return new KeysteadError('BAD_REQUEST', detail);
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return value === null ? 'null' : typeof value;
}

import { z } from 'zod';
import { WireError } from './refusals.js';

const KMS = 'application/vnd.ibm.kms';
export const KEY_TYPE = `${KMS}.key+json`;
export const VERSION_TYPE = `${KMS}.key.version+json`;
export const ALIAS_TYPE = `${KMS}.alias+json`;
export const RING_TYPE = `${KMS}.key_ring+json`;
export const POLICY_TYPE = `${KMS}.policy+json`;
export const REGISTRATION_TYPE = `${KMS}.registration+json`;
export const ALLOWED_IP_TYPE = `${KMS}.allowed_ip_metadata+json`;
export const ERROR_TYPE = `${KMS}.error+json`;

const ALPHABET = /[A-Za-z0-9+/]/;

/** Text of so many characters, without NUL, which the database cannot hold. */
export function Text(least: number, most: number) {
  const message = `between ${least} and ${most} characters`;
  return z
    .string()
    .min(least, message)
    .max(most, message)
    .refine((text) => !text.includes('\0'), 'text without NUL');
}

/** Base64 (RFC 4648 section 4) as bytes. Line ends between the characters do not matter, as in Go. */
export function Base64(what: string) {
  return z.string().transform((text, context) => {
    const bare = text.replace(/[\r\n]/g, '');
    const bytes = Buffer.from(bare, 'base64');
    if (bytes.toString('base64') === bare) return bytes;
    context.addIssue({ code: 'custom', message: `${what}: illegal base64 data at input byte ${illegalAt(bare)}` });
    return z.NEVER;
  });
}

/** Offset of the first byte that base64 does not have there. */
function illegalAt(text: string): number {
  for (let at = 0; at < text.length; at += 1) {
    if (ALPHABET.test(text[at] as string)) continue;
    const padding = text.slice(at);
    return /^={1,2}$/.test(padding) && text.length % 4 === 0 ? at - 1 : at;
  }
  return text.length;
}

/** RFC 3339, any precision. */
export const Timestamp = z.iso
  .datetime({ offset: true, message: 'a date in RFC 3339 format' })
  .transform((text) => new Date(text))
  .refine((date) => !Number.isNaN(date.getTime()), 'a date in RFC 3339 format');

/** RFC 3339 in UTC, to the second. */
export function dateText(date: Date): string {
  return `${date.toISOString().slice(0, -5)}Z`;
}

/** Members that are set; those that are null or undefined are left out, since clients stumble over null. */
export function present<T extends object>(members: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const set: { [K in keyof T]?: NonNullable<T[K]> } = {};
  for (const name in members) {
    const value = members[name];
    if (value !== null && value !== undefined) set[name] = value;
  }
  return set;
}

/** The body of a request: metadata and resources. The resources come out, their number checked against the metadata. */
export function Collection<Resource extends z.ZodType>(resource: Resource, most: number) {
  const Metadata = z.strictObject({
    collectionType: z.string().max(100).optional(),
    collectionTotal: z.int().optional(),
  });
  return z.strictObject({ metadata: Metadata, resources: z.array(resource) }).transform(({ metadata, resources }) => {
    const { collectionTotal = resources.length } = metadata;
    if (collectionTotal !== resources.length) throw new WireError('COLLECTION_TOTAL_MISMATCH_ERR');
    return resources.slice(0, most + 1);
  });
}

/** The body of an answer: metadata and resources. */
export function Listed<Resource extends z.ZodType>(type: string, resource: Resource) {
  return z.strictObject({
    metadata: z.strictObject({
      collectionType: z.literal(type),
      collectionTotal: z.int().min(0),
      totalCount: z.int().min(0).optional(),
      incompleteSearch: z.literal(true).optional(),
      searchQuery: z
        .strictObject({ query: z.string(), scopes: z.array(z.string()), not: z.boolean(), exact: z.boolean() })
        .optional(),
    }),
    resources: z.array(resource),
  });
}

/** The answer that `Listed` describes. */
export function collectionOf(collectionType: string, resources: readonly object[], more: object = {}): object {
  return { metadata: { collectionType, collectionTotal: resources.length, ...present(more) }, resources };
}

/** A date of an answer. */
export const DateText = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);

/** Every refusal of the dialect. */
export const ErrorBody = z.strictObject({
  metadata: z.strictObject({ collectionType: z.literal(ERROR_TYPE), collectionTotal: z.literal(1) }),
  resources: z.tuple([
    z.strictObject({
      errorMsg: z.string(),
      reasons: z
        .array(
          z.strictObject({
            code: z.string(),
            message: z.string(),
            status: z.int(),
            moreInfo: z.string(),
            target: z.strictObject({ type: z.enum(['field', 'query_param']), name: z.string() }).optional(),
          }),
        )
        .optional(),
    }),
  ]),
});

import { z } from 'zod';
import { FieldError } from '../../shared/errors.js';

type Raw = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The operation takes no query parameter; those that are sent are not looked at. */
export const NO_QUERY = z.object({});

/**
 * Reads the query: values are trimmed, an empty one is absent, a repeated parameter is a list. Parameters that the
 * operation does not know are not looked at. QUERY_INVALID (a FieldError).
 */
export function readQuery<Schema extends z.ZodType>(schema: Schema, raw: Raw): z.output<Schema> {
  const values: Record<string, string> = {};
  for (const [name, given] of Object.entries(raw)) {
    const value = [given ?? []]
      .flat()
      .map((one) => one.trim())
      .filter((one) => one !== '')
      .join(',');
    if (value.includes('\0')) throw invalid(name, 'text without NUL');
    if (value !== '') values[name] = value;
  }
  if ((schema as z.ZodType) === NO_QUERY) return {} as z.output<Schema>;
  const checked = schema.safeParse(values);
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  throw invalid(String(issue?.path[0] ?? ''), issue?.message ?? 'valid');
}

function invalid(name: string, constraint: string): FieldError {
  return new FieldError('QUERY_INVALID', constraint, { type: 'query_param', name });
}

/** An integer in a query. */
export function Int(least: number, most: number) {
  const message = `an integer between ${least} and ${most} (inclusive)`;
  return z
    .string()
    .regex(/^[0-9]{1,9}$/, message)
    .transform(Number)
    .refine((value) => value >= least && value <= most, message)
    .optional();
}

export const Limit = Int(1, 5000);
export const Offset = z
  .string()
  .regex(/^[0-9]{1,9}$/, 'an integer greater than or equal to 0')
  .transform(Number)
  .optional();

/** true and false in any case: Python writes True and False. */
export const Flag = z
  .string()
  .regex(/^(true|false)$/i, 'true or false')
  .transform((word) => word.toLowerCase() === 'true')
  .optional();

/** A list's own language is read by the keys folder; here are only the habits of clients: a comma at the end of `search`. */
export const ListQuery = z.object({
  limit: z.string().optional().describe('1 to 5000; 200 by default'),
  offset: z.string().optional().describe('How many to skip'),
  state: z.string().optional().describe('States, separated by commas; all but 5 by default'),
  extractable: z
    .string()
    .transform((word) => word.toLowerCase())
    .optional()
    .describe('true: standard keys; false: root keys'),
  search: z
    .string()
    .transform((text) => text.replace(/,$/, ''))
    .optional()
    .describe('Part of a name or alias; not:, exact:, escape:, name: and alias: before it'),
  sort: z.string().optional().describe('Properties, separated by commas; - before one for descending order'),
  filter: z.string().optional().describe('Conditions property=[lt:|lte:|gt:|gte:]value, separated by blanks'),
});

/** A CRN, encoded once by some clients and twice by others. */
export const CrnQuery = z
  .string()
  .transform((text, context) => {
    if (!/%[0-9a-f]{2}/i.test(text)) return text;
    try {
      return decodeURIComponent(text);
    } catch {
      context.addIssue({ code: 'custom', message: 'a URL encoded CRN' });
      return z.NEVER;
    }
  })
  .optional();

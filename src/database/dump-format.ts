import { z } from 'zod';

/**
 * The file of a backup, NDJSON: a header; every row of every table as PostgreSQL writes it in JSON, parents before
 * children; an end with the SHA-256 of all that is before it. It holds wrapped keys, digests of API keys and the audit
 * log; no key in clear, no PIN and no API key.
 */
export const FORMAT = 'keystead-backup/v1';

export const DumpHeader = z.strictObject({
  format: z.literal(FORMAT),
  at: z.iso.datetime(),
  /** Names of the migrations that made the tables. */
  migrations: z.array(z.string()),
  tables: z.array(z.string().regex(/^[a-z_]+$/)),
});
export type DumpHeader = z.infer<typeof DumpHeader>;

export const DumpEnd = z.strictObject({
  end: z.literal(true),
  rows: z.int().min(0),
  /** 64 hex digits. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type DumpEnd = z.infer<typeof DumpEnd>;

/** What a row's line begins with; the row follows, then a brace. */
export const rowHead = (table: string) => `{"table":"${table}","row":`;

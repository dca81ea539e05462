import type pg from 'pg';

export interface TableColumn {
  readonly table: string;
  readonly column: string;
  readonly type: string;
}

/** Every column of every table there is. */
export async function columnsOf(db: pg.Client): Promise<TableColumn[]> {
  const { rows } = await db.query<TableColumn>(
    `SELECT "table_name" AS "table", "column_name" AS "column", "data_type" AS "type" FROM information_schema.columns
     WHERE "table_schema" = current_schema() ORDER BY "table_name", "ordinal_position"`,
  );
  return rows;
}

/** SQL for another value of each type. */
const ANOTHER: Readonly<Record<string, (column: string) => string>> = {
  text: (c) => `coalesce(${c}, '') || 'x'`,
  uuid: () => 'gen_random_uuid()',
  boolean: (c) => `coalesce(NOT ${c}, true)`,
  smallint: (c) => `${c} + 1`,
  integer: (c) => `${c} + 1`,
  bigint: (c) => `coalesce(${c}, 0) + 1000`,
  'timestamp with time zone': (c) => `coalesce(${c}, now()) + interval '1 day'`,
  bytea: (c) => `coalesce(${c}, '') || '\\x00'`,
  jsonb: (c) => `coalesce(${c}, '{}') || '{"x": 1}'`,
  ARRAY: (c) => `array_append(${c}, 'x')`,
};

/** Throws for a type that it does not know. */
export function anotherValue(column: string, type: string): string {
  const value = ANOTHER[type];
  if (value === undefined) throw new Error(`no other value for ${column}, which is ${type}`);
  return value(`"${column}"`);
}

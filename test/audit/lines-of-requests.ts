import pg from 'pg';
import type { World } from '../world.js';

/** How the audit log of a world tells of the requests of clients; those of administrators have a line per unit besides. */
export interface LinesOfRequests {
  /** Method and route of every request that has a line. */
  readonly paths: readonly string[];
  /** Those of which some request has more than one line, with the most that one had. */
  readonly several: Readonly<Record<string, number>>;
}

export async function linesOfRequests({ databaseUrl }: World): Promise<LinesOfRequests> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ path: string; most: number }>(
      `SELECT "requestPath" AS "path", max("lines")::int AS "most" FROM (
         SELECT "requestPath", "correlationId", count(*) AS "lines" FROM "audit_lines"
         WHERE "requestPath" !~ '^[A-Z]+ /api/v1/' GROUP BY 1, 2) "requests"
       GROUP BY 1 ORDER BY 1`,
    );
    const several = rows.filter(({ most }) => most > 1).map(({ path, most }) => [path, most] as const);
    return { paths: rows.map(({ path }) => path), several: Object.fromEntries(several) };
  } finally {
    await client.end();
  }
}

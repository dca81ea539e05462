import type { EntityManager } from 'typeorm';
import { AuditLine } from './audit-line.entity.js';
import { storedLineOf } from './export-format.js';

/** Which lines to show; what is not given lets everything through. */
export interface AuditFilter {
  /** 1 to 1000; 100 when it is not given. */
  readonly limit?: number | undefined;
  /** Only lines with a smaller number. */
  readonly before?: number | undefined;
  /** The act, or what acts begin with when it ends with a star: `kms.secrets.*`. */
  readonly act?: string | undefined;
  readonly outcome?: 'success' | 'failure' | undefined;
  readonly by?: string | undefined;
  readonly instanceId?: string | undefined;
  readonly unitId?: string | undefined;
  readonly target?: string | undefined;
  readonly correlationId?: string | undefined;
  /** From this time on, and before that one. */
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
}

/** A line as it is shown: `seq` a number, `detail` parsed, `hash` 64 hex digits. */
export interface ShownLine {
  readonly seq: number;
  readonly at: string;
  readonly act: string;
  readonly outcome: 'success' | 'failure';
  readonly by: string;
  readonly instanceId: string | null;
  readonly unitId: string | null;
  readonly target: string | null;
  readonly detail: unknown;
  readonly correlationId: string | null;
  readonly requestPath: string | null;
  readonly hash: string;
}

const MOST_LINES = 1000;
const SOME_LINES = 100;
const EQUAL = ['outcome', 'by', 'instanceId', 'unitId', 'target', 'correlationId'] as const;

/** The newest lines first that the filter lets through. */
export async function listLines(db: EntityManager, filter: AuditFilter): Promise<ShownLine[]> {
  const { limit = SOME_LINES, before, act, since, until } = filter;
  const query = db.createQueryBuilder(AuditLine, 'line').orderBy('line.seq', 'DESC').limit(Math.min(limit, MOST_LINES));
  if (before !== undefined) query.andWhere('line.seq < :before', { before });
  if (act?.endsWith('*')) query.andWhere('starts_with(line.act, :begin)', { begin: act.slice(0, -1) });
  else if (act !== undefined) query.andWhere('line.act = :act', { act });
  for (const name of EQUAL) {
    if (filter[name] !== undefined) query.andWhere(`line.${name} = :${name}`, { [name]: filter[name] });
  }
  if (since !== undefined) query.andWhere('line.at >= :since', { since });
  if (until !== undefined) query.andWhere('line.at < :until', { until });
  return (await query.getMany()).map(shown);
}

function shown(line: AuditLine): ShownLine {
  return { ...storedLineOf(line), detail: line.detail === null ? null : JSON.parse(line.detail) };
}

import { KeysteadError } from '../shared/errors.js';

/**
 * Errors that say "the database cannot be asked now", as node, pg and PostgreSQL name them. Whoever meets one may try
 * again later. Everything else that a query throws is a fault of the query, thus ours.
 */
const OUTAGE_CODES: ReadonlySet<string> = new Set([
  // node
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  // PostgreSQL, appendix A
  '08000', // connection_exception
  '08001',
  '08003',
  '08004',
  '08006',
  '25006', // read_only_sql_transaction: a standby
  '53100', // disk_full
  '53200', // out_of_memory
  '53300', // too_many_connections
  '57014', // query_canceled: the statement timeout
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  '58030', // io_error
]);

/** pg gives these no code. */
const OUTAGE_MESSAGES: ReadonlySet<string> = new Set([
  'Connection terminated',
  'Connection terminated unexpectedly',
  'Connection terminated due to connection timeout',
  'Client has encountered a connection error and is not queryable',
  'Client was closed and is not queryable',
  'timeout exceeded when trying to connect',
  'timeout expired',
  'Query read timeout',
]);

/** DATABASE_UNAVAILABLE when the thrown value says so, itself or in what TypeORM wrapped or node gathered; otherwise undefined. */
export function databaseOutage(thrown: unknown): KeysteadError | undefined {
  if (!(thrown instanceof Error) || thrown instanceof KeysteadError) return undefined;
  const { code, syscall, driverError, errors } = thrown as Error & Record<string, unknown>;
  const said =
    (typeof code === 'string' && OUTAGE_CODES.has(code)) ||
    (code === 'ENOENT' && syscall === 'connect') || // the Unix socket is gone; any other ENOENT is about a file
    OUTAGE_MESSAGES.has(thrown.message);
  const inside = [driverError, ...(Array.isArray(errors) ? errors : [])];
  if (!said && !inside.some((inner) => inner !== thrown && databaseOutage(inner) !== undefined)) return undefined;
  return new KeysteadError('DATABASE_UNAVAILABLE', 'the database cannot be reached; try again in a few seconds', {
    cause: thrown,
  });
}

import { setTimeout as after } from 'node:timers/promises';
import { type DynamicModule, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { Logger } from 'pino';
import { DataSource, type DataSourceOptions, type EntityManager } from 'typeorm';
import { LOG } from '../config/log.js';
import { KeysteadError, messageOf, needs } from '../shared/errors.js';
import type { DatabaseTarget } from './database-target.js';
import { DatabaseWatch } from './database-watch.js';
import { MIGRATIONS } from './migrations.js';
import { ReadLane } from './read-lane.js';

const POOL_SIZE = 20;
const CONNECT_TIMEOUT_MS = 3_000;
const STATEMENT_TIMEOUT_MS = 25_000;
/** On our side too: a stopped server enforces no timeout. */
const QUERY_TIMEOUT_MS = 30_000;
const IDLE_TRANSACTION_TIMEOUT_MS = 60_000;

/** Key of the advisory lock under which one server at a time runs migrations. */
const MIGRATION_LOCK = 0x6b736d; // 'ksm'
const MIGRATION_WAIT_MS = 300_000;
const MIGRATION_POLL_MS = 100;

@Module({})
class DatabaseModule {}

/**
 * One DataSource for the server. Entities come from the feature modules (`TypeOrmModule.forFeature`); the schema comes
 * from migrations only, run at start under an advisory lock, so several servers may start at once.
 */
export function databaseModule(target: DatabaseTarget): DynamicModule {
  const connection = TypeOrmModule.forRootAsync({
    inject: [LOG],
    useFactory: (log: Logger) => ({
      ...dataSourceOptions(target, log),
      autoLoadEntities: true,
      retryAttempts: 0, // the embedded database is up by now, and a remote one that is not must be said at once
    }),
    dataSourceFactory: async (options) => {
      needs(options, 'INTERNAL', 'the data source has no options');
      return openDatabase(options);
    },
  });
  return {
    module: DatabaseModule,
    global: true,
    imports: [connection],
    providers: [DatabaseWatch, ReadLane],
    exports: [DatabaseWatch, ReadLane],
  };
}

export function dataSourceOptions(target: DatabaseTarget, log: Pick<Logger, 'warn'>): DataSourceOptions {
  return {
    type: 'postgres',
    ...target,
    applicationName: 'keystead',
    migrations: MIGRATIONS,
    migrationsTransactionMode: 'each',
    synchronize: false,
    poolSize: POOL_SIZE,
    connectTimeoutMS: CONNECT_TIMEOUT_MS,
    // An idle connection broke: the next query opens another one, or says that it cannot.
    poolErrorHandler: (cause: unknown) => log.warn({ event: 'database-connection-lost', cause: messageOf(cause) }),
    extra: {
      statement_timeout: STATEMENT_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
      idle_in_transaction_session_timeout: IDLE_TRANSACTION_TIMEOUT_MS,
    },
  };
}

/** Connects and brings the schema up to date. Throws DATABASE_UNAVAILABLE when it cannot connect; CONFIG_INVALID when it is newer than this server. */
export async function openDatabase(options: DataSourceOptions): Promise<DataSource> {
  const db = new DataSource(options);
  try {
    await db.initialize();
  } catch (cause) {
    throw new KeysteadError(
      'DATABASE_UNAVAILABLE',
      `cannot connect to the database: ${messageOf(cause)}; check KEYSTEAD_DATABASE_URL and that PostgreSQL is up`,
      { cause },
    );
  }
  try {
    await migrate(db);
  } catch (cause) {
    await db.destroy();
    throw cause;
  }
  return db;
}

/** The lock is held by a transaction that does nothing else, so it ends with it, whatever happens. */
async function migrate(db: DataSource): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.query('SET LOCAL idle_in_transaction_session_timeout = 0');
    await takeMigrationLock(tx);
    await assertNotNewer(db, tx);
    await db.runMigrations();
  });
}

/** An older server would write rows that the newer one cannot read. CONFIG_INVALID. */
async function assertNotNewer(db: DataSource, tx: EntityManager): Promise<void> {
  const [made] = await tx.query<{ there: boolean }[]>(`SELECT to_regclass('migrations') IS NOT NULL AS "there"`);
  if (!made?.there) return;
  const known = new Set(db.migrations.map((migration) => migration.name ?? migration.constructor.name));
  const all = await tx.query<{ name: string }[]>('SELECT "name" FROM "migrations" ORDER BY "timestamp"');
  const newer = all.find(({ name }) => !known.has(name));
  needs(
    newer === undefined,
    'CONFIG_INVALID',
    `a newer Keystead made this database (${newer?.name}); start that one, or restore a backup into a new database`,
  );
}

async function takeMigrationLock(tx: EntityManager): Promise<void> {
  const deadline = Date.now() + MIGRATION_WAIT_MS;
  for (;;) {
    const [answer] = await tx.query<{ taken: boolean }[]>('SELECT pg_try_advisory_xact_lock($1) AS "taken"', [
      MIGRATION_LOCK,
    ]);
    if (answer?.taken) return;
    needs(
      Date.now() < deadline,
      'DATABASE_UNAVAILABLE',
      'another server has been migrating this database for five minutes; look at its log, then start again',
    );
    await after(MIGRATION_POLL_MS);
  }
}

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, realpathSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from 'pino';
import type { Config } from '../config/config.js';
import { ownDirectory } from '../config/own-directory.js';
import { KeysteadError, messageOf } from '../shared/errors.js';
import type { DatabaseTarget } from './database.module.js';
import { type Cluster, postgresEnvironment, prepareCluster, readPassword, SUPERUSER } from './postgres-cluster.js';
import { currentPlace, dataOf } from './postgres-place.js';
import { asUser } from './postgres-user.js';
import { isAlive, isPostmasterOf, readPostmasterPid, recordedPid } from './postmaster-pid.js';

const START_PATIENCE_MS = 10_000;
/** A postmaster that is alive and recovers may take this long. */
const RECOVERY_PATIENCE_MS = 300_000;
const POLL_MS = 50;
const WATCH_MS = 200;
const RETRY_MS = 500;
const STOP_PATIENCE_MS = 7_000;
const CONNECT_TIMEOUT_MS = 2_000;
const SOCKET_PORT = 5432;
const STARTING_UP = '57P03';

const SETTINGS: Readonly<Record<string, string>> = {
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  max_connections: '100',
  shared_buffers: '64MB',
  timezone: 'UTC',
  log_timezone: 'UTC',
  logging_collector: 'on',
  log_directory: 'log',
  log_filename: 'postgres-%u.log', // one a weekday, begun anew the next week
  log_truncate_on_rotation: 'on',
  log_rotation_age: '1d',
  log_rotation_size: '0',
};

/** Where a running postmaster listens. */
interface Endpoint {
  readonly host: string;
  readonly port: number;
}

interface Running {
  readonly pid: number;
  readonly endpoint: Endpoint;
}

/**
 * The PostgreSQL in the data directory, supervised like an agent.
 *
 * Start: a postmaster that is alive, takes our password and says this data directory is adopted (a server that was
 * killed left it behind); otherwise the start is retried for 10 s, since what a killed postmaster left lingers.
 * While we run, one that dies is started again, on the same endpoint; queries in between fail as DATABASE_UNAVAILABLE.
 * Stop: SIGINT to its pid (fast shutdown). It runs in a process group of its own, so that Ctrl-C reaches the server first.
 */
export class EmbeddedPostgres {
  #running: Running;
  #stopping = false;
  readonly #watch: Promise<void>;

  private constructor(
    private readonly launcher: Launcher,
    running: Running,
    private readonly log: Logger,
  ) {
    this.#running = running;
    this.#watch = this.#keepUp();
  }

  /** Brings the database up. Throws CONFIG_INVALID or DATABASE_UNAVAILABLE with PostgreSQL's own words. */
  static async start(config: Pick<Config, 'dataDir' | 'runtimeDir'>, log: Logger): Promise<EmbeddedPostgres> {
    ownDirectory(join(config.dataDir, 'postgres'), 'KEYSTEAD_DATA_DIR');
    ownDirectory(config.runtimeDir, 'KEYSTEAD_RUNTIME_DIR');
    const launcher = new Launcher(realpathSync(join(config.dataDir, 'postgres')), config.runtimeDir, log);
    return new EmbeddedPostgres(launcher, await launcher.bringUp(undefined), log);
  }

  get pid(): number {
    return this.#running.pid;
  }

  target(): DatabaseTarget {
    return this.launcher.target(this.#running.endpoint);
  }

  /** An orderly stop; when it takes too long, an immediate one: the next start recovers, and nothing durable is lost. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#watch;
    const { pid } = this.#running;
    signal(pid, 'SIGINT');
    if (await gone(pid, STOP_PATIENCE_MS)) return;
    this.log.warn({ event: 'database-stop-slow', pid });
    signal(pid, 'SIGQUIT');
    await gone(pid, STOP_PATIENCE_MS);
  }

  async #keepUp(): Promise<void> {
    while (!this.#stopping) {
      await after(WATCH_MS);
      if (this.#stopping || isAlive(this.#running.pid)) continue;
      this.log.error({ event: 'database-died', pid: this.#running.pid });
      try {
        this.#running = await this.launcher.bringUp(this.#running.endpoint);
      } catch (cause) {
        this.log.error({ event: 'database-restart-failed', cause: messageOf(cause) });
        await after(RETRY_MS);
      }
    }
  }
}

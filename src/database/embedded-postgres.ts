import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Config } from '../config/config.js';
import { ownDirectory } from '../config/own-directory.js';
import { messageOf } from '../shared/errors.js';
import type { DatabaseTarget } from './database-target.js';
import { type Endpoint, endPostmaster, PostgresLauncher, type Running } from './postgres-launcher.js';
import { isAlive } from './postmaster-pid.js';

const WATCH_MS = 200;
const RETRY_MS = 500;

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
  readonly #stopping = new AbortController();
  readonly #watch: Promise<void>;

  private constructor(
    private readonly launcher: PostgresLauncher,
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
    const launcher = new PostgresLauncher(
      realpathSync(join(config.dataDir, 'postgres')),
      realpathSync(config.runtimeDir),
      log,
    );
    return new EmbeddedPostgres(launcher, await launcher.bringUp(), log);
  }

  get pid(): number {
    return this.#running.pid;
  }

  /** Where it listens; the same for as long as the server runs. */
  target(): DatabaseTarget & Endpoint {
    return this.launcher.target(this.#running.endpoint);
  }

  /** An orderly stop; when it takes too long, an immediate one: the next start recovers, and nothing durable is lost. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#watch;
    if (await endPostmaster(this.#running.pid, 'SIGINT')) return;
    this.log.warn({ event: 'database-stop-slow', pid: this.#running.pid });
    await endPostmaster(this.#running.pid, 'SIGQUIT');
  }

  async #keepUp(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await after(WATCH_MS);
      if (signal.aborted || isAlive(this.#running.pid)) continue;
      this.log.error({ event: 'database-died', pid: this.#running.pid });
      try {
        this.#running = await this.launcher.bringUp(this.#running.endpoint, signal);
      } catch (cause) {
        this.log.error({ event: 'database-restart-failed', cause: messageOf(cause) });
        await after(RETRY_MS);
      }
    }
  }
}

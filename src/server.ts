import 'reflect-metadata';
import { realpathSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { setTimeout as after } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Logger } from 'pino';
import { appModule } from './app.module.js';
import type { Config } from './config/config.js';
import { frameworkLog } from './config/log.js';
import { ownDirectory } from './config/own-directory.js';
import { EmbeddedPostgres } from './database/embedded-postgres.js';
import { logAccess } from './http/access-log.js';
import { Draining } from './http/draining.js';
import { makeListener } from './http/listener.js';
import { routedUrl } from './routed-url.js';
import { type DirectoryLock, lockDirectory } from './shared/directory-lock.js';
import { KeysteadError, messageOf } from './shared/errors.js';

/** How long requests that were under way may take to finish. */
const FINISH_MS = 4_000;

/** The server, from the data directory to the listener. What was started is stopped in the opposite order. */
export class Server {
  readonly #stoppers: (() => Promise<void>)[] = [];
  #address = '';

  private constructor(
    private readonly config: Config,
    private readonly log: Logger,
  ) {}

  /** Starts everything and listens. When something does not start, what did is stopped and the error thrown. */
  static async start(config: Config, log: Logger): Promise<Server> {
    const server = new Server(config, log);
    try {
      await server.#start();
      return server;
    } catch (cause) {
      await server.stop();
      throw cause;
    }
  }

  /** Where it listens: a URL. */
  get address(): string {
    return this.#address;
  }

  /** Stops everything, the listener first. A part that cannot be stopped is logged and does not keep the others from it. */
  async stop(): Promise<void> {
    for (let next = this.#stoppers.pop(); next !== undefined; next = this.#stoppers.pop()) {
      await next().catch((cause) => this.log.error({ event: 'stop-failed', cause: messageOf(cause) }));
    }
  }

  async #start(): Promise<void> {
    const { config, log } = this;
    const listener = makeListener(config, routedUrl);
    if (config.accessLog) logAccess(listener.getInstance(), log);
    ownDirectory(config.dataDir, 'KEYSTEAD_DATA_DIR');
    ownDirectory(config.runtimeDir, 'KEYSTEAD_RUNTIME_DIR');
    ownDirectory(config.sharedDir, 'KEYSTEAD_SHARED_DIR');
    await this.#lockDataDir();
    const database = config.databaseUrl === undefined ? await this.#startPostgres() : { url: config.databaseUrl };
    const app = await NestFactory.create<NestFastifyApplication>(appModule(config, database, log), listener, {
      bodyParser: false,
      abortOnError: false,
      logger: frameworkLog(log),
    });
    this.#stoppers.push(() => this.#close(app));
    await app.listen(config.port, config.host).catch((cause) => cannotListen(config, cause));
    const { address, family, port } = app.getHttpServer().address() as AddressInfo;
    this.#address = `${config.tls ? 'https' : 'http'}://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  /** One server per data directory: two would fight over its database and its units. */
  async #lockDataDir(): Promise<void> {
    const { config } = this;
    const lock: DirectoryLock | undefined = await lockDirectory(realpathSync(config.dataDir), 'data');
    if (lock === undefined) {
      throw new KeysteadError(
        'CONFIG_INVALID',
        `another Keystead server uses the data directory ${config.dataDir}; stop it, or set KEYSTEAD_DATA_DIR to another one`,
      );
    }
    this.#stoppers.push(() => lock.release());
  }

  async #startPostgres() {
    const postgres = await EmbeddedPostgres.start(this.config, this.log);
    this.#stoppers.push(() => postgres.stop());
    return postgres.target();
  }

  /** /readyz says no, the listener closes, requests finish; a connection that is still busy after that is cut. */
  async #close(app: NestFastifyApplication): Promise<void> {
    app.get(Draining).begin();
    await after(this.config.drainMs);
    const cut = setTimeout(() => app.getHttpServer().closeAllConnections(), FINISH_MS);
    try {
      await app.close();
    } finally {
      clearTimeout(cut);
    }
  }
}

function cannotListen({ host, port }: Config, cause: unknown): never {
  const why = `cannot listen on ${host}:${port} (${messageOf(cause)}); set KEYSTEAD_HOST and KEYSTEAD_PORT to an address that is free`;
  throw new KeysteadError('CONFIG_INVALID', why, { cause });
}

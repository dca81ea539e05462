import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from 'pino';
import { KeysteadError, messageOf } from '../shared/errors.js';
import {
  type Cluster,
  type ClusterPlan,
  planCluster,
  postgresEnvironment,
  prepareCluster,
  readPassword,
  SUPERUSER,
} from './postgres-cluster.js';
import { currentPlace, dataOf } from './postgres-place.js';
import { asUser } from './postgres-user.js';
import { isAlive, isPostmasterOf, readPostmasterPid, recordedPid } from './postmaster-pid.js';

const START_PATIENCE_MS = 10_000;
const ADOPTION_PATIENCE_MS = 5_000;
/** A postmaster that is alive and says that it recovers may take this long. */
const RECOVERY_PATIENCE_MS = 300_000;
const POLL_MS = 50;
const END_PATIENCE_MS = 7_000;
const CONNECT_TIMEOUT_MS = 2_000;
const SOCKET_PORT = 5432;
const DATABASE = 'postgres';

const SETTINGS: Readonly<Record<string, string>> = {
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  max_connections: '100',
  shared_buffers: '64MB',
  max_wal_size: '256MB', // what recovery may have to read again, at some 250 MB a second; 1 GB would take longer than the 3 s it may
  timezone: 'UTC',
  log_timezone: 'UTC',
  logging_collector: 'on',
  log_directory: 'log',
  log_filename: 'postgres-%u.log', // one a weekday, begun anew a week later
  log_truncate_on_rotation: 'on',
  log_rotation_age: '1d',
  log_rotation_size: '0',
};

/** Where a postmaster listens: a directory with its Unix socket, or a loopback address. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface Running {
  readonly pid: number;
  readonly endpoint: Endpoint;
}

/** `ready`, `starting` (alive, but it does not take queries yet), `silent` (nobody listens), or why it will never do. */
type Answer = 'ready' | 'starting' | 'silent' | KeysteadError;

/** Brings the embedded PostgreSQL up, by adopting a postmaster or by starting one. */
export class PostgresLauncher {
  #plan: ClusterPlan | undefined;
  #cluster: Cluster | undefined;

  /** Both are real paths of directories of ours. */
  constructor(
    private readonly postgresDir: string,
    private readonly runtimeDir: string,
    private readonly log: Logger,
  ) {}

  /** A postmaster that takes queries, on the `previous` endpoint if there was one. Throws CONFIG_INVALID or DATABASE_UNAVAILABLE. */
  async bringUp(previous?: Endpoint, stopping?: AbortSignal): Promise<Running> {
    const deadline = Date.now() + START_PATIENCE_MS;
    for (;;) {
      const adopted = await this.#adopt();
      if (adopted) return adopted;
      this.#cluster ??= prepareCluster(this.postgresDir, this.#planNow());
      const started = await this.#start(this.#cluster, previous ?? (await this.#newEndpoint(this.#cluster)));
      if (started) return started;
      if (stopping?.aborted || Date.now() > deadline) {
        throw new KeysteadError('DATABASE_UNAVAILABLE', `the embedded PostgreSQL does not start: ${this.#lastWords()}`);
      }
      await after(POLL_MS);
    }
  }

  target({ host, port }: Endpoint) {
    const password = readPassword(this.postgresDir) ?? '';
    return { host, port, username: SUPERUSER, password, database: DATABASE };
  }

  /** The postmaster that runs on our data, once it takes queries. One that stays silent is stopped; then, and when there is none: undefined. */
  async #adopt(): Promise<Running | undefined> {
    const data = dataOf(currentPlace(this.postgresDir));
    const pid = recordedPid(data);
    if (pid === undefined || !isPostmasterOf(pid, data)) return undefined;
    const since = Date.now();
    while (isAlive(pid)) {
      const endpoint = readPostmasterPid(data);
      const answer = endpoint ? await this.#ask(endpoint, data) : 'silent';
      if (answer instanceof KeysteadError) throw answer;
      if (endpoint && answer === 'ready') {
        this.log.info({ event: 'database-adopted', pid });
        this.#planNow(); // now, not when it has died and requests wait
        return { pid, endpoint };
      }
      const patience = answer === 'starting' ? RECOVERY_PATIENCE_MS : ADOPTION_PATIENCE_MS;
      if (Date.now() - since > patience) {
        this.log.warn({ event: 'database-silent', pid });
        await endPostmaster(pid, 'SIGINT');
        return undefined;
      }
      await after(POLL_MS);
    }
    return undefined;
  }

  #planNow(): ClusterPlan {
    this.#plan ??= planCluster(this.postgresDir);
    return this.#plan;
  }

  /** Starts a postmaster and waits until it takes queries; undefined when it ended instead. */
  async #start(cluster: Cluster, endpoint: Endpoint): Promise<Running | undefined> {
    const child = this.#spawn(cluster, endpoint);
    const deadline = Date.now() + RECOVERY_PATIENCE_MS;
    let ended = false;
    child.once('exit', () => {
      ended = true;
    });
    child.once('error', (cause) => {
      ended = true;
      this.log.error({ event: 'database-not-started', cause: messageOf(cause) });
    });
    for (;;) {
      await after(POLL_MS);
      const { pid } = child;
      if (ended || pid === undefined) return undefined;
      const answer = await this.#ask(endpoint, cluster.data);
      if (answer === 'ready') {
        this.log.info({ event: 'database-started', pid });
        return { pid, endpoint };
      }
      if (!(answer instanceof KeysteadError) && Date.now() < deadline) continue;
      await endPostmaster(pid, 'SIGINT');
      if (answer instanceof KeysteadError) throw answer;
      return undefined;
    }
  }

  #spawn({ data, binaries, user }: Cluster, { host, port }: Endpoint): ChildProcess {
    const network = host.startsWith('/')
      ? { listen_addresses: '', unix_socket_directories: host, unix_socket_permissions: '0700' }
      : { listen_addresses: host, unix_socket_directories: '' };
    const settings = Object.entries({ ...SETTINGS, ...network, port: String(port) });
    const flags = settings.flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const [program, args, options] = asUser(user, [join(binaries.native, 'bin', 'postgres'), '-D', data, ...flags]);
    const words = openSync(this.#wordsFile, 'w', 0o600);
    try {
      return spawn(program, args, {
        ...options,
        cwd: '/',
        env: { ...postgresEnvironment(), ...strangerWithOurPid(data) },
        detached: true,
        stdio: ['ignore', words, words],
      });
    } finally {
      closeSync(words);
    }
  }

  /** A socket in the runtime directory; on loopback for another user, who cannot enter it. */
  async #newEndpoint({ user }: Cluster): Promise<Endpoint> {
    if (user.kind !== 'other') return { host: this.runtimeDir, port: SOCKET_PORT };
    return { host: '127.0.0.1', port: await freePort() };
  }

  async #ask(endpoint: Endpoint, data: string): Promise<Answer> {
    const { username, ...target } = this.target(endpoint);
    const client = new pg.Client({ ...target, user: username, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
    client.on('error', () => undefined); // the rejections below tell
    try {
      await client.connect();
      const { rows } = await client.query<{ data_directory: string }>('SHOW data_directory');
      return rows[0]?.data_directory === data ? 'ready' : 'silent';
    } catch (cause) {
      return meaningOf(cause, this.postgresDir);
    } finally {
      await client.end();
    }
  }

  get #wordsFile(): string {
    return join(this.postgresDir, 'start.log');
  }

  #lastWords(): string {
    const lines = readFileSync(this.#wordsFile, 'utf8').trim().split('\n');
    return lines.slice(-3).join(' ') || 'it said nothing';
  }
}

/** Asks a postmaster to end: SIGINT, fast; SIGQUIT, at once. Whether it did within 7 s. */
export async function endPostmaster(pid: number, signal: 'SIGINT' | 'SIGQUIT'): Promise<boolean> {
  const deadline = Date.now() + END_PATIENCE_MS;
  if (isAlive(pid)) process.kill(pid, signal);
  while (isAlive(pid)) {
    if (Date.now() > deadline) return false;
    await after(POLL_MS);
  }
  return true;
}

function meaningOf(cause: unknown, postgresDir: string): Answer {
  const { code } = cause as { code?: unknown };
  if (code === '57P03') return 'starting';
  if (code !== '28P01') return 'silent';
  return new KeysteadError(
    'CONFIG_INVALID',
    `the embedded PostgreSQL refuses the password in ${join(postgresDir, 'password')}; restore that file from a backup`,
    { cause },
  );
}

/**
 * PostgreSQL takes any living process with the pid in postmaster.pid for a running postmaster and refuses to start;
 * after a reboot or in a container that is often a stranger. This variable names a pid that does not count. (Removing
 * the file would also remove the guard against backends that a killed postmaster left.)
 */
function strangerWithOurPid(data: string): NodeJS.ProcessEnv {
  const pid = recordedPid(data);
  if (pid === undefined || !isAlive(pid) || isPostmasterOf(pid, data)) return {};
  return { PG_GRANDPARENT_PID: String(pid) };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/**
 * A server with three initialised units, as the demo makes it, without limits, for measurements. The PostgreSQL is the one
 * that Keystead would start for itself, with its durable settings; it belongs to the bench, which looks into it.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as after } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { EmbeddedPostgres } from '../dist/database/embedded-postgres.js';
import { DemoServer, withoutOurs } from '../scripts/server.mjs';
import { ROOT } from '../scripts/setup.mjs';

const AUTH = ['--auth', '[{"ADMIN":"admin.key#env:ADMIN"}]'];
const SHARES = '["a.share#env:A","b.share#env:B","c.share#env:C"]';
const LOOP_WATCH = fileURLToPath(new URL('loop-watch.mjs', import.meta.url));
const SILENT = { info() {}, warn() {}, error() {}, debug() {} };
/** Import pairs that the server keeps ready. */
export const POOL = 5;
const ENV = {
  KEYSTEAD_IMPORT_PAIR_POOL: String(POOL),
  KEYSTEAD_LIMIT_KEYS: '0',
  KEYSTEAD_LIMIT_ALIASES: '0',
  KEYSTEAD_LOG_LEVEL: 'error',
};

export class BenchWorld {
  #directory = mkdtempSync(join(tmpdir(), 'keystead-bench-'));
  #work = join(this.#directory, 'work');
  #server;
  #postgres;
  #url = '';
  instance = '';

  /** The world, and how many seconds the initialisation of its three units took without making the admin key. */
  static async start() {
    const world = new BenchWorld();
    mkdirSync(world.#work, { mode: 0o700 });
    await world.#startPostgres();
    await world.launch();
    await world.kp('crypto-unit', 'sig-key', 'generate', '--file', 'admin.key', '--passphrase', 'env:ADMIN');
    const begun = performance.now();
    const made = await world.kp('instance', 'create', 'BENCH', '--crypto-units', '3', '-o', 'json');
    world.instance = JSON.parse(made).id;
    await world.kp('crypto-unit', 'claim', '--credential', 'admin.key');
    const split = ['--keyshare-files', SHARES, '--keyshare-minimum', '2', '--key-name', 'BENCH'];
    await world.kp('crypto-unit', 'mk', 'generate', ...split, ...AUTH);
    await world.kp('crypto-unit', 'mk', 'import', '--keyshare-files', SHARES, ...AUTH);
    await world.kp('crypto-unit', 'user', 'add', '--type', 'kmsCryptoUser', ...AUTH);
    await world.#untilReady();
    return { world, initialiseS: (performance.now() - begun) / 1_000 };
  }

  get url() {
    return this.#server.url;
  }

  get serverPid() {
    return this.#server.pid;
  }

  /** Starts the server; how many seconds until it is ready for requests, when its units are initialised. */
  async launch() {
    const begun = performance.now();
    const env = { ...ENV, KEYSTEAD_DATABASE_URL: this.#url, BENCH_LOOP_FILE: join(this.#directory, 'loop.json') };
    this.#server = await DemoServer.launch(this.#directory, { env, preload: LOOP_WATCH });
    await this.#server.untilAlive();
    if (this.instance !== '') await this.#untilReady();
    return (performance.now() - begun) / 1_000;
  }

  stop() {
    return this.#server.stop();
  }

  async end() {
    await this.stop();
    await this.#postgres.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Standard output of a kp command. */
  async kp(...words) {
    const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, 'bin', 'kp'), ...words], {
      cwd: this.#work,
      env: {
        ...withoutOurs(process.env),
        KP_HOME: join(this.#directory, 'kp'),
        KP_TARGET_ADDR: this.url,
        KP_API_KEY_FILE: join(this.#server.dataDir, 'bootstrap-api-key'),
        ...(this.instance !== '' && { KP_INSTANCE_ID: this.instance }),
        ADMIN: 'a passphrase of the bench',
        A: 'share passphrase a',
        B: 'share passphrase b',
        C: 'share passphrase c',
      },
      maxBuffer: 1 << 26,
    });
    return stdout;
  }

  /** Headers of a Key Protect client. */
  get headers() {
    const key = readFileSync(join(this.#server.dataDir, 'bootstrap-api-key'), 'utf8').trim();
    return { authorization: `Bearer ${key}`, 'bluemix-instance': this.instance, 'content-type': 'application/json' };
  }

  /** One request, its answer as JSON. Throws for another status than 2xx. */
  async ask(method, path, body) {
    const answer = await fetch(this.url + path, {
      method,
      headers: this.headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  /** The KMS identity's private key (PEM), and the sockets of the units' agents. */
  agents() {
    const run = join(this.#directory, 'run');
    return {
      identity: readFileSync(join(this.#server.dataDir, 'instances', this.instance, 'kms-user.pem'), 'utf8'),
      sockets: readdirSync(run)
        .filter((name) => name.endsWith('.sock'))
        .map((name) => join(run, name)),
    };
  }

  /** Pids of the agents. */
  agentPids() {
    const units = join(this.#server.dataDir, 'units');
    return readdirSync(units).map((id) => Number(readFileSync(join(units, id, 'agent.pid'), 'utf8')));
  }

  /** Pids of PostgreSQL: the postmaster and its children now. */
  postgresPids() {
    const { pid } = this.#postgres;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    return [pid, ...children.map(Number)];
  }

  /** Rows of a query in the server's database. */
  async query(sql, values) {
    const client = new pg.Client(this.#url);
    await client.connect();
    try {
      return (await client.query(sql, values)).rows;
    } finally {
      await client.end();
    }
  }

  /** What the event loop of the server was like since this was asked last: { p99, max } in milliseconds. */
  async loop() {
    const file = join(this.#directory, 'loop.json');
    process.kill(this.serverPid, 'SIGUSR2');
    for (let n = 0; n < 200 && !existsSync(file); n += 1) await after(10);
    await after(20);
    const read = JSON.parse(readFileSync(file, 'utf8'));
    rmSync(file);
    return read;
  }

  async #startPostgres() {
    const place = { dataDir: join(this.#directory, 'database'), runtimeDir: join(this.#directory, 'database-run') };
    mkdirSync(place.dataDir, { mode: 0o700 });
    this.#postgres = await EmbeddedPostgres.start(place, SILENT);
    const { host, port, username, password, database } = this.#postgres.target();
    const login = `${encodeURIComponent(username)}:${encodeURIComponent(password)}`;
    this.#url = `postgres://${login}@localhost:${port}/${database}?host=${encodeURIComponent(host)}`;
  }

  async #untilReady() {
    const deadline = performance.now() + 30_000;
    while ((await this.#server.get('/readyz')).status !== 200) {
      if (performance.now() > deadline) throw new Error(`the server is not ready:\n${this.#server.logTail()}`);
      await after(5);
    }
  }
}

import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dropDatabase, nameOf, newDatabase } from './database/databases.js';
import { FullDisk } from './full-disk.js';
import { type Exchange, violationsOf } from './key-protect/described.js';
import { copyOf, madeOnce } from './made-once.js';
import { ended, freePort, type Ran, ROOT, run } from './processes.js';
import { until } from './until.js';

/**
 * A world for a spec: the real server, as built in dist, with real agents on real SoftHSM tokens, and the real `kp`.
 * It has its own data directory and its own database, on the PostgreSQL of the run or (embedded) one of its own.
 */
export interface WorldOptions {
  readonly embedded?: boolean;
  /** A database that another world made and removes: this one is a replica. */
  readonly database?: string;
  /** Directory of the key files that replicas share. */
  readonly sharedDir?: string;
  /** The server reads the database's URL from a file. */
  readonly urlFile?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** Its data lie on a disk of their own, of so many MiB. */
  readonly diskMebibytes?: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: specs look into answers of every shape
  readonly body: any;
}

export interface ShownUnit {
  readonly id: string;
  readonly instanceId: string;
  readonly state: string;
  readonly conditions: readonly { type: string; status: string; reason: string; message: string }[];
}

const KP = join(ROOT, 'bin', 'kp');
const SERVER = join(ROOT, 'bin', 'keystead');
const START_DEADLINE_MS = 40_000;

export class World {
  readonly dir = mkdtempSync(join(tmpdir(), 'ksw-'));
  readonly dataDir = join(this.dir, 'data');
  readonly files = join(this.dir, 'files');
  disk: FullDisk | undefined;
  url = '';
  instance = '';
  #server: ChildProcess | undefined;
  #log = '';
  #database: string | undefined;
  /** Databases that are not in use now. */
  readonly #left: string[] = [];
  #port = 0;
  #apiKeyFile: string | undefined;

  private constructor(private readonly options: WorldOptions) {}

  static async start(options: WorldOptions = {}): Promise<World> {
    const world = new World(options);
    mkdirSync(world.files, { mode: 0o700 });
    if (options.diskMebibytes !== undefined) world.disk = FullDisk.at(world.dataDir, options.diskMebibytes);
    if (!options.embedded) world.#database = options.database ?? (await newDatabase());
    await world.#listen();
    if (options.env?.['KEYSTEAD_PROFILE'] === 'production') await world.#useUpBootstrapKey();
    return world;
  }

  /** In production the first key makes another one, and nobody works with it. */
  async #useUpBootstrapKey(): Promise<void> {
    const made = await this.kp('api-key', 'create', 'operator', '--role', 'Manager', '--file', 'operator.apikey');
    if (made.code !== 0) throw new Error(`api-key create failed: ${made.stderr}\n${this.logTail()}`);
    this.#apiKeyFile = join(this.files, 'operator.apikey');
  }

  /** A world in which an instance of so many units exists and is active. */
  static async withInstance(units: 2 | 3 = 3, options: WorldOptions = {}): Promise<World> {
    const world = await World.start(options);
    const made = await world.kp('instance', 'create', 'TEST', '--crypto-units', String(units), '-o', 'json');
    if (made.code !== 0) throw new Error(`instance create failed: ${made.stderr}\n${world.logTail()}`);
    world.instance = JSON.parse(made.stdout).id;
    return world;
  }

  /**
   * A world as `withInstance` and `initialise` make it, key files, shares and known units of `kp` included: a copy of one
   * that is made once in a run. For specs that look at what comes after the ceremony.
   */
  static async initialised(count: 2 | 3 = 3, options: Pick<WorldOptions, 'env'> = {}): Promise<World> {
    const { dir, instance, database } = await madeOnce(`initialised-${count}`, (place) => World.#leave(count, place));
    const world = new World(options);
    const units = readdirSync(join(dir, 'data', 'units'));
    copyOf(dir, world.dir, units);
    world.instance = instance;
    world.#database = await newDatabase(`TEMPLATE ${nameOf(database)}`);
    await world.#listen();
    for (const unit of units) {
      const serves = async () => (await world.api('GET', `/health/units/${unit}`)).status === 200;
      await until(serves, START_DEADLINE_MS, () => `unit ${unit} does not serve:\n${world.logTail()}`);
    }
    return world;
  }

  /** Initialises a world, ends it, and leaves its files in a directory and its database where it is. */
  static async #leave(units: 2 | 3, place: string): Promise<{ instance: string; database: string }> {
    const world = await World.withInstance(units);
    await world.initialise();
    await world.stopServer();
    for (const name of ['data', 'files', 'kp']) {
      cpSync(join(world.dir, name), join(place, name), { recursive: true });
    }
    rmSync(world.dir, { recursive: true });
    return { instance: world.instance, database: world.databaseUrl };
  }

  get serverPid(): number {
    return this.#server?.pid ?? 0;
  }

  get apiKey(): string {
    return readFileSync(this.apiKeyFile, 'utf8').trim();
  }

  get apiKeyFile(): string {
    return this.#apiKeyFile ?? join(this.sharedDir, 'bootstrap-api-key');
  }

  get sharedDir(): string {
    return this.options.sharedDir ?? this.dataDir;
  }

  get databaseUrl(): string {
    return this.#database ?? '';
  }

  logTail(): string {
    return this.#log.split('\n').slice(-40).join('\n');
  }

  get log(): string {
    return this.#log;
  }

  async #listen(): Promise<void> {
    this.#port = await freePort();
    this.url = `http://127.0.0.1:${this.#port}`;
    await this.launch();
  }

  /** Starts the server and waits until it answers. */
  async launch(): Promise<void> {
    const child = spawn(process.execPath, [SERVER, 'serve'], { env: this.#env(), stdio: ['ignore', 'pipe', 'pipe'] });
    this.#server = child;
    const keep = (chunk: Buffer) => {
      this.#log += chunk.toString();
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    await until(
      async () => {
        if (child.exitCode !== null) throw new Error(`the server ended at its start:\n${this.logTail()}`);
        return (await fetch(`${this.url}/startupz`).catch(() => undefined))?.status === 200;
      },
      START_DEADLINE_MS,
      () => `the server did not start:\n${this.logTail()}`,
    );
  }

  /** SIGKILL: the server has no last word. */
  async killServer(): Promise<void> {
    await ended(this.#server, 'SIGKILL');
  }

  async stopServer(): Promise<void> {
    await ended(this.#server, 'SIGTERM');
  }

  /** A copy of the database as it is, as a backup would be. The server must not run. */
  async backUp(): Promise<string> {
    const copy = await newDatabase(`TEMPLATE ${nameOf(this.databaseUrl)}`);
    this.#left.push(copy);
    return copy;
  }

  /** The next launch finds the database as it was when it was backed up. */
  async restore(copy: string): Promise<void> {
    this.#left.push(this.databaseUrl);
    this.#database = await newDatabase(`TEMPLATE ${nameOf(copy)}`);
  }

  /** Stops the server and removes everything the world made. */
  async end(): Promise<void> {
    await this.stopServer();
    if (this.options.database === undefined) {
      for (const one of [...this.#left, this.#database ?? []].flat()) await dropDatabase(one);
    }
    this.disk?.end();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** Runs `kp` as a user would, in the directory for files; passphrases and targets come from the environment. */
  kp(...args: string[]): Promise<Ran> {
    return this.kpWith({}, ...args);
  }

  kpWith(env: Record<string, string>, ...args: string[]): Promise<Ran> {
    return run(process.execPath, [KP, ...args], { cwd: this.files, env: { ...this.kpEnv(), ...env } });
  }

  /** Runs a line as typed into a shell, with `kp` on the path. */
  shell(line: string): Promise<Ran> {
    const env = { ...this.kpEnv(), PATH: `${join(ROOT, 'bin')}:${process.env['PATH'] ?? ''}` };
    return run('sh', ['-c', line], { cwd: this.files, env });
  }

  kpEnv(): Record<string, string> {
    return {
      PATH: process.env['PATH'] ?? '',
      HOME: this.files,
      KP_HOME: join(this.dir, 'kp'),
      KP_TARGET_ADDR: this.url,
      KP_API_KEY_FILE: this.apiKeyFile,
      ...(this.instance !== '' && { KP_INSTANCE_ID: this.instance }),
      ADMIN_PASSPHRASE: 'correct horse battery',
      SHARE_1: 'seven grey herons',
      SHARE_2: 'the kettle is on',
      SHARE_3: 'no ship before noon',
    };
  }

  async api(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const answer = await fetch(this.url + path, {
      method,
      headers: { authorization: `Bearer ${this.apiKey}`, ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    assertDescribed({ method, path, status: answer.status, text });
    return { status: answer.status, headers: answer.headers, text, body: parsed(text) };
  }

  async units(): Promise<ShownUnit[]> {
    return (await this.api('GET', '/api/v1/cryptounits', undefined, { 'instance-id': this.instance })).body;
  }

  async states(): Promise<string[]> {
    return (await this.units()).map((unit) => unit.state);
  }

  unitDir(id: string): string {
    return join(this.dataDir, 'units', id);
  }

  agentPid(id: string): number {
    return Number(readFileSync(join(this.unitDir(id), 'agent.pid'), 'utf8'));
  }

  /** sig-key generate, claim, mk generate, mk import, user add: what leads to kms-initialized. Throws at the first failure. */
  async initialise(): Promise<void> {
    for (const step of [this.makeAdmin, this.claim, this.generate, this.importKey, this.addKmsUser]) {
      const { code, stdout, stderr } = await step.call(this);
      if (code !== 0) throw new Error(`${step.name} failed (${code}): ${stdout}${stderr}\n${this.logTail()}`);
    }
    await until(async () => (await this.states()).every((state) => state === 'kms-initialized'), 10_000);
    await until(async () => (await this.api('GET', '/readyz')).status === 200, 10_000);
  }

  readonly auth = '[{"ADMIN":"admin.key#env:ADMIN_PASSPHRASE"}]';
  readonly shares = '["share-1.key#env:SHARE_1","share-2.key#env:SHARE_2","share-3.key#env:SHARE_3"]';

  makeAdmin(): Promise<Ran> {
    return this.kp(
      'crypto-unit',
      'sig-key',
      'generate',
      '--file',
      'admin.key',
      '--passphrase',
      this.kpEnv()['ADMIN_PASSPHRASE'] ?? '',
      '--algo',
      'RSA-2048',
    );
  }

  claim(): Promise<Ran> {
    return this.kp('crypto-unit', 'claim', '--credential', 'admin.key');
  }

  generate(): Promise<Ran> {
    return this.kp(
      'crypto-unit',
      'mk',
      'generate',
      '--keyshare-files',
      this.shares,
      '--keyshare-minimum',
      '2',
      '--algo',
      'AES-256',
      '--key-name',
      'MK',
      '--auth',
      this.auth,
    );
  }

  importKey(): Promise<Ran> {
    const two = '["share-1.key#env:SHARE_1","share-3.key#env:SHARE_3"]';
    return this.kp('crypto-unit', 'mk', 'import', '--keyshare-files', two, '--auth', this.auth);
  }

  addKmsUser(): Promise<Ran> {
    return this.kp('crypto-unit', 'user', 'add', '--type', 'kmsCryptoUser', '--auth', this.auth);
  }

  file(name: string, content: string): string {
    const path = join(this.files, name);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  }

  #databaseEnv(): Record<string, string> {
    if (this.#database === undefined) return {};
    if (!this.options.urlFile) return { KEYSTEAD_DATABASE_URL: this.#database };
    return { KEYSTEAD_DATABASE_URL_FILE: this.file('database-url', this.#database) };
  }

  #env(): Record<string, string> {
    return {
      PATH: process.env['PATH'] ?? '',
      HOME: this.files,
      TMPDIR: tmpdir(),
      KEYSTEAD_HOST: '127.0.0.1',
      KEYSTEAD_PORT: String(this.#port),
      KEYSTEAD_DATA_DIR: this.dataDir,
      KEYSTEAD_RUNTIME_DIR: join(this.dir, 'run'),
      KEYSTEAD_PROBE_INTERVAL_MS: '500',
      KEYSTEAD_IMPORT_PAIR_POOL: '0', // pairs that nobody asks for would cost every world seconds
      KEYSTEAD_TIMER_INTEGRITY_MS: '3600000', // a walk that nobody asks for takes a unit's turn
      ...this.#databaseEnv(),
      ...(this.options.sharedDir !== undefined && { KEYSTEAD_SHARED_DIR: this.options.sharedDir }),
      ...(process.env['KEYSTEAD_SOFTHSM_MODULE'] && {
        KEYSTEAD_SOFTHSM_MODULE: process.env['KEYSTEAD_SOFTHSM_MODULE'],
      }),
      ...this.options.env,
    };
  }
}

/** Key Protect's answers, whoever's test asks, are as its OpenAPI document says. */
function assertDescribed(exchange: Exchange): void {
  const violations = violationsOf(exchange);
  if (violations.length > 0) throw new Error(violations.join('\n'));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // not JSON: the spec has the text
  }
}

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { faultyModule } from '../fault-module/fault-module.js';
import { createKey, instanceHeader } from '../units.js';
import { until } from '../until.js';
import { type Answer, World, type WorldOptions } from '../world.js';
import { Clients, type Reply, requestOf, type Shot } from './generator.js';

export const DATA_KEY = Buffer.alloc(32, 0x5a).toString('base64');
const KEY_TYPE = 'application/vnd.ibm.kms.key+json';
const CIPHERTEXTS = 50;
const RECOVERY_DEADLINE_MS = 30_000;

/**
 * What the load goes to: a server as it is shipped, with its own, durable PostgreSQL, and three units whose module can do
 * wrong. Only limits on the number of keys are off.
 */
export class LoadWorld {
  #ciphertexts: readonly string[] = [];

  private constructor(
    readonly world: World,
    readonly units: readonly string[],
    readonly key: string,
    private readonly directory: string,
  ) {}

  static async start(options: Pick<WorldOptions, 'env' | 'diskMebibytes'> = {}): Promise<LoadWorld> {
    const directory = mkdtempSync(join(tmpdir(), 'ksl-'));
    const own = { ...faultyModule(directory), KEYSTEAD_LIMIT_KEYS: '0', KEYSTEAD_LOG_LEVEL: 'warn' };
    const world = await World.withInstance(3, { ...options, embedded: true, env: { ...own, ...options.env } });
    try {
      return await LoadWorld.#of(world, directory);
    } catch (cause) {
      await world.end();
      rmSync(directory, { recursive: true });
      throw cause;
    }
  }

  static async #of(world: World, directory: string): Promise<LoadWorld> {
    await world.initialise();
    const units = (await world.units()).map(({ id }) => id);
    const made = new LoadWorld(world, units, await createKey(world, 'root'), directory);
    made.#ciphertexts = await Promise.all(
      Array.from(
        { length: CIPHERTEXTS },
        async () => (await made.act(made.key, 'wrap', { plaintext: DATA_KEY })).body.ciphertext,
      ),
    );
    return made;
  }

  async end(): Promise<void> {
    await this.world.end();
    rmSync(this.directory, { recursive: true, force: true });
  }

  get headers(): Record<string, string> {
    return { authorization: `Bearer ${this.world.apiKey}`, ...instanceHeader(this.world) };
  }

  /** Clients that wrap. */
  wrapping(perSecond: number): Clients {
    const bytes = this.#request('wrap', { plaintext: DATA_KEY });
    return this.clients(() => ({ bytes, verdict: isWrapped }), perSecond);
  }

  /** Clients that unwrap what was wrapped before the load. */
  unwrapping(perSecond: number): Clients {
    const shots = this.#ciphertexts.map((ciphertext) => ({
      bytes: this.#request('unwrap', { ciphertext }),
      verdict: isDataKey,
    }));
    return this.clients(inTurn(shots), perSecond);
  }

  /** Clients that unwrap what was changed after it was wrapped: each must hear the same refusal. */
  unwrappingChanged(perSecond: number): Clients {
    const verdict = sameRefusal();
    const shots = this.#ciphertexts.map((ciphertext) => ({
      bytes: this.#request('unwrap', { ciphertext: changed(ciphertext) }),
      verdict,
    }));
    return this.clients(inTurn(shots), perSecond);
  }

  clients(next: () => Shot, perSecond: number): Clients {
    return new Clients(this.world.url, next, perSecond);
  }

  act(key: string, act: string, body?: object): Promise<Answer> {
    return this.world.api('POST', `/api/v2/keys/${key}/actions/${act}`, body, instanceHeader(this.world));
  }

  createKey(name: string, payload?: string): Promise<Answer> {
    const resource = { type: KEY_TYPE, name, extractable: false, ...(payload !== undefined && { payload }) };
    const body = { metadata: { collectionType: KEY_TYPE, collectionTotal: 1 }, resources: [resource] };
    return this.world.api('POST', '/api/v2/keys', body, instanceHeader(this.world));
  }

  /** How long it takes until these units serve. */
  async served(units: readonly string[] = this.units): Promise<number> {
    const begun = Date.now();
    for (const id of units) {
      await until(
        async () => (await this.#status(`/health/units/${id}`)) === 200,
        RECOVERY_DEADLINE_MS,
        () => `unit ${id} does not serve:\n${this.world.logTail()}`,
      );
    }
    return Date.now() - begun;
  }

  /** How long it takes until the server answers so at this path. */
  async answers(path: string, status: number): Promise<number> {
    const begun = Date.now();
    await until(
      async () => (await this.#status(path)) === status,
      RECOVERY_DEADLINE_MS,
      () => `${path} does not answer ${status}:\n${this.world.logTail()}`,
    );
    return Date.now() - begun;
  }

  /** Lines of the audit log that say so often that the act was done. */
  async audited(act: string): Promise<number> {
    const [row] = await this.query(
      `SELECT count(*)::int AS "count" FROM "audit_lines" WHERE "act" = $1 AND "outcome" = 'success'`,
      [act],
    );
    return row?.['count'] as number;
  }

  async query(sql: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
    const password = readFileSync(join(this.world.dataDir, 'postgres', 'password'), 'utf8').trim();
    const client = new pg.Client({
      host: join(this.world.dir, 'run'),
      user: 'keystead',
      database: 'postgres',
      password,
    });
    client.on('error', () => undefined); // its query fails by that, too
    await client.connect();
    try {
      return (await client.query(sql, [...values])).rows;
    } finally {
      await client.end();
    }
  }

  /** A figure of the server's metrics, of that name and with that label; of several units the sum. None: undefined. */
  async metric(name: string, label = ''): Promise<number | undefined> {
    const { text } = await this.world.api('GET', '/metrics');
    const found = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*${label}[^}]*\\})? (\\S+)$`, 'gm'))];
    return found.length === 0 ? undefined : found.reduce((sum, [, figure]) => sum + Number(figure), 0);
  }

  /** Resident bytes of a process. */
  rss(pid: number): number {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kilobytes) * 1024;
  }

  /** Server log lines of an event. */
  events(name: string): number {
    return this.world.log.split('\n').filter((line) => line.includes(`"event":"${name}"`)).length;
  }

  async #status(path: string): Promise<number | undefined> {
    return (await fetch(this.world.url + path).catch(() => undefined))?.status;
  }

  #request(act: string, body: object): Buffer {
    return requestOf('POST', `/api/v2/keys/${this.key}/actions/${act}`, this.headers, body);
  }
}

export const is2xx = ({ status, body }: Reply) => (status >= 200 && status < 300 ? undefined : refusal(status, body));

function isWrapped({ status, body }: Reply): string | undefined {
  if (status !== 200) return refusal(status, body);
  return body.includes('"ciphertext":"') ? undefined : 'wrap answered without a ciphertext';
}

function isDataKey({ status, body }: Reply): string | undefined {
  if (status !== 200) return refusal(status, body);
  return body.includes(DATA_KEY) ? undefined : 'WRONG RESULT: unwrap answered with another data key';
}

/** Every ciphertext that was changed gets the same 4xx; the first answer says which. */
function sameRefusal(): (reply: Reply) => string | undefined {
  let first: string | undefined;
  return ({ status, body }) => {
    if (status === 200) return 'WRONG RESULT: a ciphertext that was changed opened';
    const heard = refusal(status, body);
    if (status < 400 || status >= 500) return heard;
    first ??= heard;
    return heard === first ? undefined : `${heard}, and others hear ${first}`;
  };
}

/** The status and the sentence that says most: the reason of a refusal, where it has one. */
function refusal(status: number, body: string): string {
  const said = /"reasons":\[\{[^}]*?"message":"([^"]{0,160})/.exec(body) ?? SENTENCE.exec(body);
  return `${status} ${said?.[1] ?? body.slice(0, 120)}`;
}

const SENTENCE = /"(?:errorMsg|message|reasonMsg)":"([^"]{0,120})/;

/** One bit of the tag is another. */
function changed(envelope: string): string {
  const { ciphertext, ...rest } = JSON.parse(Buffer.from(envelope, 'base64').toString('utf8'));
  const bytes = Buffer.from(ciphertext, 'base64');
  const last = bytes.length - 1;
  bytes.writeUInt8(bytes.readUInt8(last) ^ 1, last);
  return Buffer.from(JSON.stringify({ ciphertext: bytes.toString('base64'), ...rest })).toString('base64');
}

function inTurn(shots: readonly Shot[]): () => Shot {
  let turn = 0;
  return () => shots[turn++ % shots.length] as Shot;
}

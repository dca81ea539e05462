import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { until } from '../world.js';
import { DATA_KEY, type LoadWorld } from './load-world.js';
import type { Dose, Seen } from './scenario.js';
import { Tally } from './tally.js';

/** PostgreSQL is killed under load: requests are refused with 503 until it is back, and what was answered is there. */
export async function killPostgres(load: LoadWorld, { rate, seconds, times }: Dose): Promise<Seen> {
  const before = await load.audited('kms.secrets.wrap');
  const clients = load.wrapping(rate);
  const recoveries: number[] = [];
  for (let n = 0; n < times; n += 1) {
    await after((seconds / times) * 500);
    const pid = postmaster(load);
    process.kill(pid, 'SIGKILL');
    const killed = Date.now();
    await until(async () => postmaster(load) !== pid, 30_000);
    await load.answers('/readyz', 200);
    await until(async () => (await load.act(load.key, 'wrap', { plaintext: DATA_KEY })).status === 200, 30_000);
    recoveries.push(Date.now() - killed);
    await after((seconds / times) * 500);
  }
  const tally = await clients.stop();
  const lines = (await load.audited('kms.secrets.wrap')) - before;
  const other = tally.failures.filter(({ what }) => !what.startsWith('503 '));
  const refused = tally.failures.length - other.length;
  return {
    tally: withFailures(tally, other),
    faults: times,
    recoveries,
    lost: Math.max(0, tally.latencies.length - lines),
    notes: [`${refused} refused with 503 meanwhile; ${tally.latencies.length} answers, ${lines} audit records`],
  };
}

/** The server is killed while keys are created, imported, rotated and deleted; what it acknowledged is there afterwards. */
export async function killServer(load: LoadWorld, { times }: Dose): Promise<Seen> {
  const tally = new Tally();
  const recoveries: number[] = [];
  const wrong: string[] = [];
  let lost = 0;
  for (let n = 0; n < times; n += 1) {
    const writers = [new Writer(load, tally), new Writer(load, tally), new Writer(load, tally)];
    const running = writers.map((writer) => writer.run());
    await after(100 + Math.random() * 400);
    await load.world.killServer();
    await Promise.all(running);
    const begun = Date.now();
    await load.world.launch();
    await load.answers('/readyz', 200);
    recoveries.push(Date.now() - begun);
    for (const writer of writers) {
      const gone = await writer.missing();
      lost += gone.length;
      wrong.push(...gone);
    }
  }
  await load.served();
  return {
    tally,
    faults: times,
    recoveries,
    lost,
    wrong,
    notes: ['recovery is from the start of the server to ready'],
  };
}

/** Key Protect's numbers of states. */
const ACTIVE = 1;
const DESTROYED = 5;

type Version = 'created' | 'rotated' | 'deleted';

/** One client that writes until its server is gone, and remembers what it was told. */
class Writer {
  readonly #told = new Map<string, { state: Version; ciphertext: string | undefined }>();

  constructor(
    private readonly load: LoadWorld,
    private readonly tally: Tally,
  ) {}

  async run(): Promise<void> {
    try {
      for (let n = 0; ; n += 1) await this.#one(n);
    } catch {
      // the connection broke: what was asked last was not acknowledged
    }
  }

  /** What was acknowledged and is not so. */
  async missing(): Promise<string[]> {
    const wrong: string[] = [];
    for (const [id, { state, ciphertext }] of this.#told) {
      const { status, body } = await this.load.world.api('GET', `/api/v2/keys/${id}`, undefined, this.load.headers);
      const key = body?.resources?.[0];
      const now = `is in state ${key?.state} (${status})`;
      if (state === 'deleted') {
        if (key?.state !== DESTROYED) wrong.push(`key ${id} was deleted and ${now}`);
        continue;
      }
      if (key?.state !== ACTIVE) wrong.push(`key ${id} was made and ${now}`);
      const opened = await this.load.act(id, 'unwrap', { ciphertext });
      if (opened.body?.plaintext !== DATA_KEY) wrong.push(`key ${id} does not open what it wrapped: ${opened.text}`);
    }
    return wrong;
  }

  async #one(n: number): Promise<void> {
    const payload = n % 2 === 0 ? undefined : randomBytes(32).toString('base64');
    const made = await this.#asked(201, this.load.createKey('written before a crash', payload));
    const id: string = made.body.resources[0].id;
    const wrapped = await this.#asked(200, this.load.act(id, 'wrap', { plaintext: DATA_KEY }));
    const told = { state: 'created' as Version, ciphertext: wrapped.body.ciphertext as string };
    this.#told.set(id, told);
    if (n % 3 === 1) return;
    if (n % 3 === 0) {
      const body = payload === undefined ? {} : { payload: randomBytes(32).toString('base64') };
      const { status } = await this.#asked(204, this.load.act(id, 'rotate', body));
      if (status === 204) this.#told.set(id, { ...told, state: 'rotated' });
    } else {
      this.#told.delete(id); // until it is acknowledged, both are right
      const deleted = this.load.world.api('DELETE', `/api/v2/keys/${id}`, undefined, this.load.headers);
      const { status } = await this.#asked(204, deleted);
      this.#told.set(id, status === 204 ? { ...told, state: 'deleted' } : told);
    }
  }

  async #asked<T extends { status: number; text: string }>(status: number, asking: Promise<T>): Promise<T> {
    this.tally.sent += 1;
    const begun = performance.now();
    const answer = await asking;
    if (answer.status === status) this.tally.good(performance.now() - begun);
    else this.tally.bad(`${answer.status} ${answer.text.slice(0, 200)}`);
    return answer;
  }
}

function postmaster(load: LoadWorld): number {
  try {
    return Number(readFileSync(join(load.world.dataDir, 'postgres', 'data', 'postmaster.pid'), 'utf8').split('\n')[0]);
  } catch {
    return 0; // between two of them
  }
}

function withFailures(tally: Tally, failures: Tally['failures']): Tally {
  const other = new Tally();
  other.sent = tally.sent;
  for (const latency of tally.latencies) other.good(latency);
  for (const failure of failures) other.failures.push(failure);
  return other;
}

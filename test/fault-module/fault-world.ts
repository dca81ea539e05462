import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { Tally } from '../load/tally.js';
import { createKey, instanceHeader, patience } from '../units.js';
import { until } from '../until.js';
import { type Answer, World } from '../world.js';
import type { Case } from './cases.js';
import { faultyModule, heal, inject, met } from './fault-module.js';

const DATA_KEY = Buffer.alloc(32, 0x77).toString('base64');
const MATERIAL = Buffer.from(Array.from({ length: 32 }, (_, n) => n)).toString('base64');
const KEY_TYPE = 'application/vnd.ibm.kms.key+json';
const LONGEST_REQUEST_MS = 5_000;
/** 5 s until it is killed, then the start of the next one; inside C_Login, where a kill can cost the token, 10 s more. */
const LONGEST_HANG_MS = 6_000;
const LONGEST_LOGIN_HANG_MS = 17_000;
/** A fault that is not met in so much time is not met at all. */
const MEETING_MS = 8_000;
const RECOVERY_DEADLINE_MS = 30_000;

/** What became of one case. */
export interface Endured {
  /** What went wrong: an answer that is not the right one, or took too long, a fault that was never met, a crash. */
  readonly wrong: readonly string[];
  readonly faults: number;
  /** From the end of the fault until the unit served. */
  readonly recoveryMs: number;
}

/** Three units whose module does wrong on request, and clients that must not notice. */
export class FaultWorld {
  tally = new Tally();

  private constructor(
    readonly world: World,
    readonly units: readonly string[],
    readonly key: string,
    private readonly directory: string,
  ) {}

  static async start(): Promise<FaultWorld> {
    const directory = mkdtempSync(join(tmpdir(), 'ksf-'));
    const env = { ...faultyModule(directory), KEYSTEAD_PROBE_INTERVAL_MS: '200', KEYSTEAD_LIMIT_KEYS: '0' };
    const world = await World.withInstance(3, { env });
    try {
      return await FaultWorld.#of(world, directory);
    } catch (cause) {
      await world.end();
      rmSync(directory, { recursive: true });
      throw cause;
    }
  }

  static async #of(world: World, directory: string): Promise<FaultWorld> {
    await world.initialise();
    const units = (await world.units()).map(({ id }) => id);
    const made = new FaultWorld(world, units, await createKey(world, 'root'), directory);
    await made.#create(false); // the first answer that is held against the OpenAPI document loads all of it
    return made;
  }

  async end(): Promise<void> {
    await this.world.end();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Clients work while so many units are sick with it, until each met it; then the units are well and serve again. */
  async endure({ faults }: Case, sick = 1, right: (answer: Answer) => boolean = is2xx): Promise<Endured> {
    const { world } = this;
    const units = this.units.slice(0, sick);
    const fn = faults.at(-1)?.fn ?? '';
    const isMet = (unit: string) =>
      met(world, unit).length >= faults.length && (fn === '*' || met(world, unit).includes(fn));
    const pid = world.serverPid;
    const pids = units.map((unit) => world.agentPid(unit));
    for (const unit of units) inject(world, unit, ...faults);
    const wrong: string[] = [];
    const deadline = Date.now() + MEETING_MS;
    for (let round = 0; round < 3 || (!units.every(isMet) && Date.now() < deadline); round += 1) {
      wrong.push(...(await this.#work(right)));
    }
    const times = units.map((unit) => met(world, unit).length);
    if (!units.every(isMet)) wrong.push(`${fn} was never met`);
    for (const unit of units) heal(world, unit);
    if (faults.some(({ act }) => act === 'hang')) {
      await this.#replaced(units, pids, fn === 'C_Login' ? LONGEST_LOGIN_HANG_MS : LONGEST_HANG_MS);
    }
    const healed = Date.now();
    await this.#allServe();
    const recoveryMs = Date.now() - healed;
    if (world.serverPid !== pid || world.log.includes('"event":"crash"')) wrong.push('the server crashed');
    return { wrong, faults: times.reduce((sum, count) => sum + count, 0), recoveryMs };
  }

  /** The key that is to be rotated; there is none before one is made. */
  async before(act: 'create' | 'import' | 'rotate'): Promise<string> {
    return act === 'rotate' ? (await this.#create(false)).body.resources[0].id : '';
  }

  /** Asks to make a key, or to import or rotate one; its id when that was acknowledged. */
  async make(act: 'create' | 'import' | 'rotate', key: string): Promise<string> {
    if (act === 'rotate') return (await this.#act(key, 'rotate', undefined)).status === 204 ? key : 'refused';
    const made = await this.#create(act === 'import');
    return made.status === 201 ? made.body.resources[0].id : 'refused';
  }

  /** Whether the key wraps and unwraps, on every unit. */
  async isGood(key: string): Promise<boolean> {
    for (let n = 0; n < this.units.length; n += 1) {
      const wrapped = await this.#act(key, 'wrap', { plaintext: DATA_KEY });
      const opened = await this.#act(key, 'unwrap', { ciphertext: wrapped.body?.ciphertext });
      if (opened.body?.plaintext !== DATA_KEY) return false;
    }
    return true;
  }

  /** An agent that hangs is killed, and another one started. */
  #replaced(units: readonly string[], pids: readonly number[], deadlineMs: number): Promise<void> {
    return until(
      async () => units.every((unit, n) => this.world.agentPid(unit) !== pids[n]),
      patience(deadlineMs),
      () => `an agent that hangs is not replaced in ${deadlineMs} ms`,
    );
  }

  /** How many objects are on the token of the unit that gets sick. */
  objects(): number {
    const tokens = join(this.world.unitDir(this.units[0] ?? ''), 'tokens');
    return readdirSync(tokens, { recursive: true }).filter((name) => String(name).endsWith('.object')).length;
  }

  async #allServe(): Promise<void> {
    await until(
      async () => (await this.world.units()).every((unit) => unit.conditions.some(isReachable)),
      RECOVERY_DEADLINE_MS,
      () => `units do not serve again:\n${this.world.logTail()}`,
    );
  }

  /** A request of each kind; what was not right. */
  async #work(right: (answer: Answer) => boolean): Promise<string[]> {
    const wrong: string[] = [];
    const timed = async (what: string, asked: () => Promise<Answer>, isRight: (answer: Answer) => boolean) => {
      const begun = performance.now();
      this.tally.sent += 1;
      const answer = await asked();
      const took = performance.now() - begun;
      if (took > patience(LONGEST_REQUEST_MS)) wrong.push(`${what} took ${Math.round(took)} ms`);
      if (isRight(answer)) this.tally.good(took);
      else wrong.push(`${what}: ${answer.status} ${answer.text.slice(0, 300)}`);
      return answer;
    };
    const wrapped = await timed('wrap', () => this.#act(this.key, 'wrap', { plaintext: DATA_KEY }), right);
    const { ciphertext } = wrapped.body ?? {};
    const isOpen = (answer: Answer) => right(answer) && (answer.status >= 300 || answer.body.plaintext === DATA_KEY);
    if (ciphertext !== undefined) {
      await timed('unwrap', () => this.#act(this.key, 'unwrap', { ciphertext }), isOpen);
    }
    await timed('create', () => this.#create(false), right);
    await timed('import', () => this.#create(true), right);
    for (const what of wrong) this.tally.bad(what);
    return wrong;
  }

  #act(key: string, act: string, body: object | undefined): Promise<Answer> {
    return this.world.api('POST', `/api/v2/keys/${key}/actions/${act}`, body, instanceHeader(this.world));
  }

  #create(imported: boolean): Promise<Answer> {
    const resource = { type: KEY_TYPE, name: 'under a fault', extractable: false };
    const body = {
      metadata: { collectionType: KEY_TYPE, collectionTotal: 1 },
      resources: [imported ? { ...resource, payload: MATERIAL } : resource],
    };
    return this.world.api('POST', '/api/v2/keys', body, instanceHeader(this.world));
  }
}

const is2xx = ({ status }: Answer) => status >= 200 && status < 300;
const isReachable = ({ type, status }: { type: string; status: string }) => type === 'Reachable' && status === 'True';

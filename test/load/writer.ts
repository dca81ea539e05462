import { randomBytes } from 'node:crypto';
import type { Answer } from '../world.js';
import { DATA_KEY, type LoadWorld } from './load-world.js';
import type { Tally } from './tally.js';

/** Key Protect's numbers of states. */
const ACTIVE = 1;
const DESTROYED = 5;

interface Told {
  readonly state: 'created' | 'rotated' | 'deleted';
  readonly ciphertext: string | undefined;
}

/**
 * One client that creates, imports, wraps with, rotates and deletes keys, and remembers what it was told. What was asked
 * last and not acknowledged, because the connection broke or the answer was a refusal, may be so or not.
 */
export class Writer {
  readonly #told = new Map<string, Told>();
  #stopped = false;
  /** Refusals in the order in which they came; the scenario says which may be. */
  readonly refusals: Answer[] = [];
  /** Milliseconds that the slowest answer took. */
  slowest = 0;

  constructor(
    private readonly load: LoadWorld,
    private readonly tally: Tally,
  ) {}

  stop(): void {
    this.#stopped = true;
  }

  /** Writes until it is told to stop, or its connection breaks: then what broke it. */
  async run(): Promise<string | undefined> {
    try {
      for (let n = 0; !this.#stopped; n += 1) await this.#one(n);
      return undefined;
    } catch (cause) {
      return String(cause);
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
      if (ciphertext === undefined) continue;
      const opened = await this.load.act(id, 'unwrap', { ciphertext });
      if (opened.body?.plaintext !== DATA_KEY) wrong.push(`key ${id} does not open what it wrapped: ${opened.text}`);
    }
    return wrong;
  }

  async #one(n: number): Promise<void> {
    const payload = n % 2 === 0 ? undefined : randomBytes(32).toString('base64');
    const made = await this.#asked(201, this.load.createKey('written before a crash', payload));
    if (made === undefined) return;
    const id: string = made.body.resources[0].id;
    this.#told.set(id, { state: 'created', ciphertext: undefined });
    const wrapped = await this.#asked(200, this.load.act(id, 'wrap', { plaintext: DATA_KEY }));
    const told: Told = { state: 'created', ciphertext: wrapped?.body.ciphertext };
    this.#told.set(id, told);
    if (n % 3 === 1) return;
    if (n % 3 === 0) {
      const body = payload === undefined ? {} : { payload: randomBytes(32).toString('base64') };
      const rotated = await this.#asked(204, this.load.act(id, 'rotate', body));
      if (rotated !== undefined) this.#told.set(id, { ...told, state: 'rotated' });
    } else {
      this.#told.delete(id); // until it is acknowledged, both are right
      const deletion = this.load.world.api('DELETE', `/api/v2/keys/${id}`, undefined, this.load.headers);
      if ((await this.#asked(204, deletion)) !== undefined) this.#told.set(id, { ...told, state: 'deleted' });
    }
  }

  /** The answer when it is this one; a refusal is kept, and undefined. */
  async #asked(status: number, asking: Promise<Answer>): Promise<Answer | undefined> {
    this.tally.sent += 1;
    const begun = performance.now();
    const answer = await asking;
    const took = performance.now() - begun;
    this.slowest = Math.max(this.slowest, took);
    if (answer.status === status) {
      this.tally.good(took);
      return answer;
    }
    this.refusals.push(answer);
    return undefined;
  }
}

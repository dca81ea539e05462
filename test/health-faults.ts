import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { instanceHeader, patience } from './units.js';
import { until } from './until.js';
import { World } from './world.js';

/** As it is shipped; other specs do not wait so long. */
const PROBE_INTERVAL_MS = '1500';
const FLIPS_WITHIN_MS = 2_000;
/** So long it stays as it is, that a state which flaps would show. */
const REST_MS = 500;

/** Somebody who asks /readyz without a pause, and notes each time that the answer is another one. */
class Watcher {
  readonly changes: { status: number; at: number }[] = [];
  #stopped = false;
  readonly #asking: Promise<void>;

  constructor(private readonly url: string) {
    this.#asking = this.#ask();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#asking;
  }

  async #ask(): Promise<void> {
    for (let last = 200; !this.#stopped; await after(10)) {
      const { status } = await fetch(`${this.url}/readyz`);
      if (status !== last) this.changes.push({ status, at: Date.now() });
      last = status;
    }
  }
}

/** Two units, whose tokens go and come back, asked after their health by whoever wants to. */
export class HealthWorld {
  private constructor(
    readonly world: World,
    readonly units: readonly string[],
  ) {}

  static async start(): Promise<HealthWorld> {
    const world = await World.initialised(2, { env: { KEYSTEAD_PROBE_INTERVAL_MS: PROBE_INTERVAL_MS } });
    return new HealthWorld(
      world,
      (await world.units()).map(({ id }) => id),
    );
  }

  end(): Promise<void> {
    return this.world.end();
  }

  /** All tokens go and come back, so often. What was wrong: a flip too many, too few or too late. */
  async cycles(count: number): Promise<string[]> {
    const wrong: string[] = [];
    for (let cycle = 0; cycle < count; cycle += 1) {
      const watcher = new Watcher(this.world.url);
      await after(REST_MS);
      for (const [act, status] of [
        [() => this.#takeTokens(), 503],
        [() => this.#bringTokens(), 200],
      ] as const) {
        const before = watcher.changes.length;
        act();
        const began = Date.now();
        await until(async () => watcher.changes.at(-1)?.status === status, 20_000);
        const took = (watcher.changes[before]?.at ?? 0) - began;
        if (took > patience(FLIPS_WITHIN_MS)) wrong.push(`cycle ${cycle}: ${status} after ${took} ms`);
        await after(REST_MS);
      }
      await watcher.stop();
      const seen = watcher.changes.map(({ status }) => status);
      if (seen.join() !== '503,200') wrong.push(`cycle ${cycle}: /readyz went ${seen.join(', ')}`);
    }
    return wrong;
  }

  /** Calls to each unit in so many milliseconds, while so many ask after their health without a pause; and how many asked. */
  async callsWhileAsked(clients: number, milliseconds: number): Promise<{ calls: number[]; asked: number }> {
    let asked = 0;
    const end = Date.now() + milliseconds;
    const before = await this.#calls();
    const routes = ['/readyz', '/health', '/livez', ...this.units.map((id) => `/health/units/${id}`)];
    const ask = async (n: number) => {
      while (Date.now() < end) {
        await (await fetch(this.world.url + routes[(n + asked) % routes.length])).text();
        asked += 1;
      }
    };
    await Promise.all(Array.from({ length: clients }, (_, n) => ask(n)));
    await after(end - Date.now());
    const later = await this.#calls();
    return { calls: later.map((count, n) => count - (before[n] ?? 0)), asked };
  }

  /** Calls of the server to each unit's agent since it was started. */
  async #calls(): Promise<number[]> {
    const { text } = await this.world.api('GET', '/metrics', undefined, instanceHeader(this.world));
    return this.units.map((id) => {
      const line = new RegExp(`^keystead_unit_call_duration_seconds_count\\{[^}]*unit="${id}"[^}]*\\} (\\d+)$`, 'gm');
      return [...text.matchAll(line)].reduce((sum, [, count]) => sum + Number(count), 0);
    });
  }

  #takeTokens(): void {
    for (const id of this.units) renameSync(join(this.world.unitDir(id), 'tokens'), join(this.world.dir, `away-${id}`));
  }

  #bringTokens(): void {
    for (const id of this.units) renameSync(join(this.world.dir, `away-${id}`), join(this.world.unitDir(id), 'tokens'));
  }
}

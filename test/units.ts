import { availableParallelism, loadavg } from 'node:os';
import type { Ran } from './processes.js';
import { until } from './until.js';
import type { ShownUnit, World } from './world.js';

/** What of a condition a spec expects: `Reachable` False/TokenLost is ['Reachable', 'False', 'TokenLost']. */
export type Expected = readonly [type: string, status: string, reason?: string];

export async function unitOf(world: World, id: string): Promise<ShownUnit> {
  const unit = (await world.units()).find((one) => one.id === id);
  if (!unit) throw new Error(`there is no unit ${id}`);
  return unit;
}

/** Waits until the unit has the condition; how many milliseconds it took. Fails with the unit's conditions. */
export async function becomes(world: World, id: string, expected: Expected, deadlineMs = 10_000): Promise<number> {
  const [type, status, reason] = expected;
  const began = Date.now();
  let unit = await unitOf(world, id);
  await until(
    async () => {
      unit = await unitOf(world, id);
      return unit.conditions.some(
        (one) => one.type === type && one.status === status && (reason === undefined || one.reason === reason),
      );
    },
    deadlineMs,
    () => `not ${expected.join(' ')} in ${deadlineMs} ms: ${JSON.stringify(unit)}\n${world.logTail()}`,
  );
  return Date.now() - began;
}

export function serves(world: World, id: string, deadlineMs = 10_000): Promise<void> {
  return until(
    async () => (await world.api('GET', `/health/units/${id}`)).status === 200,
    deadlineMs,
    () => `unit ${id} does not serve in ${deadlineMs} ms`,
  );
}

export async function createKey(world: World, name: string): Promise<string> {
  const { code, stdout, stderr } = await world.kp('key', 'create', name, '-o', 'json');
  if (code !== 0) throw new Error(`key create failed: ${stderr}`);
  return JSON.parse(stdout).id;
}

const DATA_KEY = Buffer.alloc(32, 7).toString('base64');

/** Wraps a data key with kp; the ciphertext. */
export async function wrap(world: World, key: string): Promise<string> {
  const { code, stdout, stderr } = await world.kp('key', 'wrap', key, '-p', DATA_KEY, '-o', 'json');
  if (code !== 0) throw new Error(`wrap failed: ${stderr}\n${world.logTail()}`);
  return JSON.parse(stdout).Ciphertext;
}

/** Whether kp opens what `wrap` gave. */
export async function opens(world: World, key: string, ciphertext: string): Promise<boolean> {
  const { code, stdout } = await world.kp('key', 'unwrap', key, '-c', ciphertext, '-o', 'json');
  return code === 0 && JSON.parse(stdout).Plaintext === DATA_KEY;
}

/** Clients that wrap without a pause, over HTTP, until `stop`. */
export class Load {
  readonly failures: string[] = [];
  served = 0;
  #stopped = false;
  readonly #clients: Promise<void>[];

  constructor(
    private readonly world: World,
    private readonly key: string,
    clients = 3,
  ) {
    this.#clients = Array.from({ length: clients }, () => this.#run());
  }

  /** Waits until so many more requests were answered with success. */
  more(count: number): Promise<void> {
    const aim = this.served + count;
    return until(
      async () => this.served >= aim,
      20_000,
      () => `no ${count} requests were served in 20 s`,
    );
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#clients);
  }

  async #run(): Promise<void> {
    const path = `/api/v2/keys/${this.key}/actions/wrap`;
    while (!this.#stopped) {
      const { status, text } = await this.world.api('POST', path, { plaintext: DATA_KEY }, instanceHeader(this.world));
      if (status === 200) this.served += 1;
      else this.failures.push(`${status} ${text}`);
    }
  }
}

export const instanceHeader = (world: World) => ({ 'bluemix-instance': world.instance });

/** Fails with what was printed unless the command succeeded. */
export async function succeed(running: Promise<Ran>): Promise<Ran> {
  const ran = await running;
  if (ran.code !== 0) throw new Error(`exit ${ran.code}: ${ran.stdout}${ran.stderr}`);
  return ran;
}

/** On a machine that has other work than its processors can do, everything takes longer by as much. */
export const patience = (milliseconds: number) =>
  milliseconds * Math.max(1, (loadavg()[0] ?? 0) / availableParallelism());

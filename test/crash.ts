import { createHash } from 'node:crypto';
import { setTimeout as after } from 'node:timers/promises';
import { CommitGate } from './commit-gate.js';
import type { Ran } from './processes.js';
import { succeed } from './units.js';
import { until } from './until.js';
import { World } from './world.js';

export const ACT_NAMES = ['claim', 'mk import', 'user add'] as const;
export type ActName = (typeof ACT_NAMES)[number];
/** Where a commit is cut off: nothing of it is there, or all of it and the server has not heard so. */
export const SIDES = ['before', 'after'] as const;
export type Side = (typeof SIDES)[number];

/** One act of the ceremony. */
interface Act {
  /** What leads from the act before to the point at which this one can be run. */
  readonly prepare: (world: World) => Promise<unknown>;
  readonly run: (world: World) => Promise<Ran>;
  readonly after: string;
  /** Undoes the act, so that it can be tried again. */
  readonly undo: (world: World) => Promise<unknown>;
}

const ACTS: Readonly<Record<ActName, Act>> = {
  claim: {
    prepare: (world) => succeed(world.makeAdmin()),
    run: (world) => world.claim(),
    after: 'claimed',
    undo: zeroizeAll,
  },
  'mk import': {
    prepare: (world) => succeed(world.generate()),
    run: (world) => world.importKey(),
    after: 'initialized',
    undo: async (world) => {
      await zeroizeAll(world);
      await succeed(world.claim());
    },
  },
  'user add': {
    prepare: async () => undefined,
    run: (world) => world.addKmsUser(),
    after: 'kms-initialized',
    undo: (world) => {
      const remove = ['crypto-unit', 'user', 'remove', '-u', `${world.instance}-kp-user`, '--auth', world.auth];
      return succeed(world.kp(...remove));
    },
  },
};

/** Three units that stand just before an act, again and again, and what is left of the act when somebody is killed in it. */
export class CrashWorld {
  /** How many acts are done. */
  #done = 0;
  #prepared = 0;
  #milliseconds = 0;

  private constructor(
    readonly world: World,
    private readonly gate: CommitGate,
  ) {}

  static async start(): Promise<CrashWorld> {
    const world = await World.withInstance(3);
    try {
      return new CrashWorld(world, await CommitGate.on(world.databaseUrl));
    } catch (cause) {
      await world.end();
      throw cause;
    }
  }

  async end(): Promise<void> {
    await this.gate.end();
    await this.world.end();
  }

  /** Brings the units to the point before the act; acts are asked for in their order. */
  async standBefore(name: ActName): Promise<void> {
    if (ACT_NAMES.indexOf(name) < this.#done) throw new Error(`${name} comes before what was asked for last`);
    for (; this.#done < ACT_NAMES.indexOf(name); this.#done += 1) {
      await this.#prepare();
      await succeed(this.#act.run(this.world));
    }
    await this.#prepare();
    const began = Date.now();
    await succeed(this.#act.run(this.world));
    this.#milliseconds = Date.now() - began;
    await this.#act.undo(this.world);
  }

  /** Kills the server at the nth commit of the act. What is wrong after one retry; null when there are not so many commits. */
  async killAtCommit(nth: number, side: Side): Promise<string[] | null> {
    await this.gate.holdAt(nth);
    let ended = false;
    const running = this.#act.run(this.world).finally(() => {
      ended = true;
    });
    let backend: number | undefined;
    await until(async () => {
      backend = await this.gate.held();
      return ended || backend !== undefined;
    }, 60_000);
    if (backend === undefined) {
      await this.gate.open();
      await running;
      await this.#act.undo(this.world);
      return null;
    }
    await this.world.killServer();
    await this.gate.letGo(backend, side === 'before' ? 'roll back' : 'commit');
    await running;
    await this.world.launch();
    return this.#afterRetry();
  }

  /** Kills somebody at some moment; which of each, the seed says. What is wrong after one retry. */
  async killAtRandom(seed: number): Promise<string[]> {
    const drawn = createHash('sha256').update(`crash ${seed}`).digest();
    const victim = (await this.world.units())[drawn.readUInt8(0) % 4];
    const running = this.#act.run(this.world);
    await after((this.#milliseconds * drawn.readUInt32BE(1)) / 2 ** 32);
    if (victim === undefined) {
      await this.world.killServer();
      await running;
      await this.world.launch();
    } else {
      process.kill(this.world.agentPid(victim.id), 'SIGKILL');
      await running;
    }
    return this.#afterRetry();
  }

  get #act(): Act {
    return ACTS[ACT_NAMES[this.#done] as ActName];
  }

  async #prepare(): Promise<void> {
    if (this.#prepared > this.#done) return;
    await this.#act.prepare(this.world);
    this.#prepared += 1;
  }

  /** The one retry, also where all was done: kp may not have heard of it. Then the act is undone. */
  async #afterRetry(): Promise<string[]> {
    await this.#allReachable();
    await this.#act.run(this.world);
    await this.#allReachable();
    const wrong = (await this.world.states())
      .filter((state) => state !== this.#act.after)
      .map((state) => `a unit is ${state}`);
    const { code, stdout, stderr } = await this.world.kp('crypto-units', 'diff');
    if (code !== 0) wrong.push(`the units differ: ${stdout}${stderr}\n${this.world.logTail()}`);
    await this.#act.undo(this.world);
    return wrong;
  }

  #allReachable(): Promise<void> {
    return until(
      async () => (await this.world.units()).every(isReachable),
      20_000,
      () => `units did not come back:\n${this.world.logTail()}`,
    );
  }
}

const isReachable = (unit: { conditions: readonly { type: string; status: string }[] }) =>
  unit.conditions.some(({ type, status }) => type === 'Reachable' && status === 'True');

async function zeroizeAll(world: World): Promise<void> {
  const claimed = (await world.units()).filter(({ state }) => state !== 'reserved');
  const zeroize = ['crypto-unit', 'zeroize', '--auth', world.auth, '--force', '--id'];
  await Promise.all(claimed.map(({ id }) => succeed(world.kp(...zeroize, id))));
}

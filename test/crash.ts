import { setTimeout as after } from 'node:timers/promises';
import { type Ran, until, World } from './world.js';

export type Victim = 'server' | 0 | 1 | 2;

/** One act of the ceremony, how to get a world to the point before it, and the state after it. */
interface Act {
  readonly run: (world: World) => Promise<Ran>;
  readonly after: string;
  /** Undoes the act, so that it can be tried again. */
  readonly undo: (world: World) => Promise<void>;
}

export const ACTS: Readonly<Record<'claim' | 'mk import' | 'user add', Act>> = {
  claim: { run: (world) => world.claim(), after: 'claimed', undo: zeroizeAll },
  'mk import': {
    run: (world) => world.importKey(),
    after: 'initialized',
    undo: async (world) => {
      await zeroizeAll(world);
      await succeed(world.claim());
    },
  },
  'user add': {
    run: (world) => world.addKmsUser(),
    after: 'kms-initialized',
    undo: async (world) => {
      const remove = ['crypto-unit', 'user', 'remove', '-u', `${world.instance}-kp-user`, '--auth', world.auth];
      await succeed(world.kp(...remove));
    },
  },
};

/** A world that stands just before the act, and how long the act takes when nobody is killed. */
export async function worldBefore(act: keyof typeof ACTS): Promise<{ world: World; milliseconds: number }> {
  const world = await World.withInstance(3);
  await succeed(world.makeAdmin());
  if (act !== 'claim') {
    await succeed(world.claim());
    await succeed(world.generate());
  }
  if (act === 'user add') await succeed(world.importKey());
  const began = Date.now();
  await succeed(ACTS[act].run(world));
  const milliseconds = Date.now() - began;
  await ACTS[act].undo(world);
  return { world, milliseconds };
}

/** Kills the victim so long after the act began, lets it come back, tries the act once more, and says what the units are then. */
export async function killDuring(
  world: World,
  act: keyof typeof ACTS,
  victim: Victim,
  delayMs: number,
): Promise<string[]> {
  const units = await world.units();
  const running = ACTS[act].run(world);
  await after(delayMs);
  if (victim === 'server') {
    await world.killServer();
    await running;
    await world.launch();
  } else {
    process.kill(world.agentPid(units[victim]?.id ?? ''), 'SIGKILL');
    await running;
  }
  await until(
    async () => (await world.units()).every(isReachable),
    20_000,
    () => `units did not come back:\n${world.logTail()}`,
  );
  await ACTS[act].run(world); // the one retry, also where all was done: kp may not have heard of it
  await until(async () => (await world.units()).every(isReachable), 20_000);
  return world.states();
}

const isReachable = (unit: { conditions: readonly { type: string; status: string }[] }) =>
  unit.conditions.some(({ type, status }) => type === 'Reachable' && status === 'True');

async function zeroizeAll(world: World): Promise<void> {
  for (const unit of await world.units()) {
    if (unit.state === 'reserved') continue;
    await succeed(world.kp('crypto-unit', 'zeroize', '--id', unit.id, '--auth', world.auth, '--force'));
  }
}

async function succeed(running: Promise<Ran>): Promise<void> {
  const { code, stdout, stderr } = await running;
  if (code !== 0) throw new Error(`exit ${code}: ${stdout}${stderr}`);
}

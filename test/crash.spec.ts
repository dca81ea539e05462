import { ACTS, killDuring, type Victim, worldBefore } from './crash.js';
import type { World } from './world.js';

/** A short form of crash.long.spec.ts. */
const VICTIMS: readonly Victim[] = ['server', 1];
const MOMENTS = [0.4, 0.8];

describe.each(Object.keys(ACTS) as (keyof typeof ACTS)[])('%s, with a SIGKILL in its middle', (act) => {
  let world: World;
  let whole: number;
  beforeAll(async () => {
    ({ world, milliseconds: whole } = await worldBefore(act));
  }, 120_000);
  afterAll(() => world.end());

  it.each(VICTIMS.flatMap((victim) => MOMENTS.map((moment) => [victim, moment] as const)))(
    'of %s at %s of its time: after one retry all units agree',
    async (victim, moment) => {
      const { after, undo } = ACTS[act];
      expect(await killDuring(world, act, victim, whole * moment)).toEqual([after, after, after]);
      await undo(world);
    },
    120_000,
  );
});

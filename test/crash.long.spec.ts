import { ACTS, killDuring, type Victim, worldBefore } from './crash.js';
import type { World } from './world.js';

const VICTIMS: readonly Victim[] = ['server', 0, 1, 2];
const MOMENTS = Array.from({ length: 20 }, (_, step) => (step + 0.5) / 20);

describe.each(Object.keys(ACTS) as (keyof typeof ACTS)[])('%s, with a SIGKILL at every twentieth of it', (act) => {
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

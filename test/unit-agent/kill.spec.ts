import { canKill, KillWorld, STEPS, type StepName } from './kill-points.js';
import { countStart, judgeStart, killStart } from './kill-start.js';

// A sample, in the middle of three kinds of call; kill.long.spec.ts takes every single one of all kinds.
const SAMPLE = ['ftruncate', 'rename', 'unlink'] as const;
const whenPossible = canKill ? describe : describe.skip;

whenPossible.each(Object.keys(STEPS) as StepName[])('an agent killed during %s', (step) => {
  let world: KillWorld;
  beforeAll(async () => {
    world = await KillWorld.before(step);
  });
  afterAll(() => world.end());

  it('comes back with all or nothing of it, and one retry brings it about', async () => {
    const counts = await world.count();
    for (const syscall of SAMPLE.filter((name) => counts[name] > 0)) {
      const nth = Math.ceil(counts[syscall] / 2);
      const killed = await world.killAt(syscall, nth);
      expect([syscall, nth, killed.answered, world.judge(killed)]).toEqual([syscall, nth, false, undefined]);
    }
  });
});

whenPossible('an agent killed while it makes its token', () => {
  it('makes one at the next start, and never two', async () => {
    const counts = await countStart();
    for (const syscall of SAMPLE.filter((name) => counts[name] > 0)) {
      const nth = Math.ceil(counts[syscall] / 2);
      expect([syscall, nth, judgeStart(await killStart(syscall, nth))]).toEqual([syscall, nth, undefined]);
    }
  });
});

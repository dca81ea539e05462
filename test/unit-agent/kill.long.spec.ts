import { canKill, KillWorld, STEPS, type StepName, SYSCALLS, type Syscall } from './kill-points.js';
import { countStart, judgeStart, killStart } from './kill-start.js';

// SIGKILL at every call of every kind: some 700 kills in some twenty minutes.
const HOURS = 2 * 60 * 60 * 1000;
const whenPossible = canKill ? describe : describe.skip;

async function everyPoint(
  counts: Record<Syscall, number>,
  kill: (syscall: Syscall, nth: number) => Promise<string | undefined>,
): Promise<string[]> {
  const bad: string[] = [];
  for (const syscall of SYSCALLS) {
    for (let nth = 1; nth <= counts[syscall]; nth += 1) {
      const verdict = await kill(syscall, nth);
      if (verdict !== undefined) bad.push(`${syscall} ${nth} of ${counts[syscall]}: ${verdict}`);
    }
  }
  return bad;
}

whenPossible.each(Object.keys(STEPS) as StepName[])('an agent killed at every call of %s', (step) => {
  let world: KillWorld;
  beforeAll(async () => {
    world = await KillWorld.before(step);
  });
  afterAll(() => world.end());

  it(
    'comes back with all or nothing of it, and one retry brings it about',
    async () => {
      const kill = async (syscall: Syscall, nth: number) => world.judge(await world.killAt(syscall, nth));
      expect(await everyPoint(await world.count(), kill)).toEqual([]);
    },
    HOURS,
  );
});

whenPossible('an agent killed at every call while it makes its token', () => {
  it(
    'makes one at the next start, and never two',
    async () => {
      const kill = async (syscall: Syscall, nth: number) => judgeStart(await killStart(syscall, nth));
      expect(await everyPoint(await countStart(), kill)).toEqual([]);
    },
    HOURS,
  );
});

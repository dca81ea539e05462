import { ACT_NAMES, CrashWorld, SIDES } from './crash.js';

/** SIGKILL at every commit, and of the server and the agents at random moments; fewer of them when these bound it. */
const COMMITS = Number(process.env['KEYSTEAD_CRASH_COMMITS'] ?? Number.POSITIVE_INFINITY);
const SEEDS = Number(process.env['KEYSTEAD_CRASH_SEEDS'] ?? 200);
const HOURS = 2 * 60 * 60 * 1000;

let crashes: CrashWorld;
beforeAll(async () => {
  crashes = await CrashWorld.start();
}, 60_000);
afterAll(() => crashes?.end());

describe.each(ACT_NAMES)('%s, with a SIGKILL in its middle', (act) => {
  beforeAll(() => crashes.standBefore(act), 60_000);

  it.each(SIDES)(
    'of the server at each commit, %s it is durable: after one retry all units agree',
    async (side) => {
      const wrong: string[] = [];
      let nth = 1;
      for (; nth <= COMMITS; nth += 1) {
        const found = await crashes.killAtCommit(nth, side);
        if (found === null) break;
        wrong.push(...found.map((what) => `commit ${nth}: ${what}`));
      }
      expect(wrong).toEqual([]);
      expect(nth).toBeGreaterThan(1);
    },
    HOURS,
  );

  it(
    'of a unit or the server at random moments: after one retry all units agree',
    async () => {
      const wrong: string[] = [];
      for (let seed = ACT_NAMES.indexOf(act); seed < SEEDS; seed += ACT_NAMES.length) {
        wrong.push(...(await crashes.killAtRandom(seed)).map((what) => `seed ${seed}: ${what}`));
      }
      expect(wrong).toEqual([]);
    },
    HOURS,
  );
});

import { type ActName, CrashWorld, type Side } from './crash.js';

/** A short form of crash.long.spec.ts: one commit of each act, and a random moment. */
const COMMITS: readonly [ActName, nth: number, Side][] = [
  ['claim', 1, 'after'],
  ['mk import', 3, 'before'],
  ['user add', 2, 'after'],
];
let crashes: CrashWorld;
beforeAll(async () => {
  crashes = await CrashWorld.start();
}, 60_000);
afterAll(() => crashes?.end());

describe.each(COMMITS)('%s, with a SIGKILL of the server at commit %i, %s it is durable', (act, nth, side) => {
  beforeAll(() => crashes.standBefore(act), 60_000);

  it('after one retry all units agree', async () => {
    expect(await crashes.killAtCommit(nth, side)).toEqual([]);
  }, 60_000);
});

it('user add, with a SIGKILL at a random moment: after one retry all units agree', async () => {
  await crashes.standBefore('user add');
  expect(await crashes.killAtRandom(1)).toEqual([]);
}, 60_000);

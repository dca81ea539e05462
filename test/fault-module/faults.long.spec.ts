import { type Row, report } from '../load/report.js';
import { Tally } from '../load/tally.js';
import { type Case, EVERY, OUT_OF_SIGHT } from './cases.js';
import { FaultWorld } from './fault-world.js';
import { ACTS, flipEach, OUTPUTS } from './flips.js';

/** The whole matrix of cases.ts, and a flip of each output that becomes part of a key. */
const RECOVERY_MS = 3_000;
const rows: Row[] = [];
let w: FaultWorld;
beforeAll(async () => {
  w = await FaultWorld.start();
}, 300_000);
afterAll(async () => {
  report('A PKCS#11 module that does wrong in one unit of three', rows);
  await w?.end();
});

/** Every case in turn; what went wrong. `keeps`: what else must be so after each. */
async function endureAll(name: string, cases: readonly Case[], keeps: () => string[] = () => []): Promise<string[]> {
  w.tally = new Tally();
  const wrong: string[] = [];
  const recoveries: number[] = [];
  let faults = 0;
  for (const one of cases) {
    const endured = await w.endure(one);
    wrong.push(...[...endured.wrong, ...keeps()].map((what) => `${one.name}: ${what}`));
    recoveries.push(endured.recoveryMs);
    faults += endured.faults;
  }
  const slow = cases.filter((_case, n) => (recoveries[n] ?? 0) > RECOVERY_MS).map((one) => one.name);
  const missed = slow.length === 0 ? [] : [`recovery within ${RECOVERY_MS} ms after: ${slow.join(', ')}`];
  rows.push({ item: 'A-07', name, tally: w.tally, faults, recoveries, missed, notes: [] });
  return wrong;
}

it.each(EVERY)(
  '%s: clients do not notice what the module does wrong, and the unit serves again when its module is well',
  async (fn, cases) => {
    expect(await endureAll(fn, cases)).toEqual([]);
  },
  900_000,
);

it('a module that does not tell any more what its objects are keeps all of them', async () => {
  const before = w.objects();
  const keeps = () => (w.objects() === before ? [] : [`of ${before} objects ${w.objects()} are left`]);
  expect(await endureAll('C_GetAttributeValue, from some moment on', OUT_OF_SIGHT, keeps)).toEqual([]);
}, 900_000);

it.each(OUTPUTS.flatMap((fn) => ACTS.map((act) => [fn, act] as const)))(
  'a bit that one unit flips in any output of %s never makes a key that is acknowledged and bad (%s)',
  async (fn, act) => {
    w.tally = new Tally();
    const { faults, refused, bad } = await flipEach(w, fn, act);
    const notes = [
      `${faults} outputs flipped in turn, ${refused} requests refused, ${bad.length} bad keys acknowledged`,
    ];
    const row = { item: 'A-10', name: `${act}, ${fn}`, tally: w.tally, faults, recoveries: [], lost: bad.length };
    rows.push({ ...row, missed: bad, notes });
    expect(bad).toEqual([]);
  },
  900_000,
);

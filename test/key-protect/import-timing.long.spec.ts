import { ImportTiming } from './import-timing.js';

/** A-29 of the acceptance list: |t| of Welch's test below 4.5 over 100,000 refusals of each kind. */
const SAMPLES = Number(process.env['KEYSTEAD_TIMING_SAMPLES'] ?? 100_000);
const MOST_T = 4.5;

let timing: ImportTiming;
beforeAll(async () => {
  timing = await ImportTiming.start();
}, 180_000);
afterAll(() => timing?.end(), 30_000);

it(`the kinds of wrong input are not told apart by the time of ${SAMPLES} refusals of each`, async () => {
  const told = await timing.tellsApart(SAMPLES);
  process.stdout.write(`${told.map(([kind, t]) => `t ${t.toFixed(2).padStart(6)}  ${kind}`).join('\n')}\n`);
  expect(told.filter(([, t]) => Math.abs(t) >= MOST_T)).toEqual([]);
}, 14_400_000);

import { ImportTiming } from './import-timing.js';

/** A short form of import-timing.long.spec.ts. */
const SAMPLES = 500;

let timing: ImportTiming;
beforeAll(async () => {
  timing = await ImportTiming.start();
}, 180_000);
afterAll(() => timing?.end(), 30_000);

it('the kinds of wrong input are told apart by time no better than chance does', async () => {
  expect((await timing.tellsApart(SAMPLES)).filter(([, t]) => Math.abs(t) >= 10)).toEqual([]);
}, 240_000);

import { patience } from '../units.js';
import { LoadWorld } from './load-world.js';
import { play } from './scenario.js';
import { SCENARIOS } from './scenarios.js';

/** A short form of load.long.spec.ts: what must be right, at a pace that the machine keeps beside its other work. */
const PACE = 1 / patience(1);
let load: LoadWorld;
beforeAll(async () => {
  load = await LoadWorld.start();
}, 300_000);
afterAll(() => load?.end());

it.each(SCENARIOS.map((one) => [one.item, one.name, one] as const))('%s %s', async (_item, _name, scenario) => {
  await load.served();
  const { wrong } = await play(scenario, load, { ...scenario.short, rate: scenario.short.rate * PACE });
  expect(wrong).toEqual([]);
});

import { LoadWorld } from './load-world.js';
import { play } from './scenario.js';
import { SCENARIOS } from './scenarios.js';

/** A short form of load.long.spec.ts: what must be right, at a pace that any machine keeps. */
let load: LoadWorld;
beforeAll(async () => {
  load = await LoadWorld.start();
}, 300_000);
afterAll(() => load?.end());

it.each(SCENARIOS.map((one) => [one.item, one.name, one] as const))('%s %s', async (_item, _name, scenario) => {
  await load.served();
  const { wrong } = await play(scenario, load, scenario.short);
  expect(wrong).toEqual([]);
});

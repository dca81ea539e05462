import { Admins } from './admin.js';
import { callersOf } from './callers.js';
import { fuzz } from './fuzz.js';
import { servedNames } from './routes.js';
import { World } from './world.js';

/** A long form of the last test of hostile-input.spec.ts. */
let world: World;
beforeAll(async () => {
  world = await World.withInstance(3);
}, 60_000);
afterAll(() => world.end());

it('20,000 requests over all routes and callers: no fault, no end of a process, and the server serves on', async () => {
  const units = (await world.units()).map(({ id }) => id);
  const names = await servedNames(new Admins(world), units);
  await fuzz(world, names, await callersOf(world), 20_000);
}, 1_800_000);

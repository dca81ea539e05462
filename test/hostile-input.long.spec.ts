import { fuzz } from './fuzz.js';
import { HostileWorld } from './hostile-world.js';

/** A long form of the last test of hostile-input.spec.ts. */
let hostile: HostileWorld;
beforeAll(async () => {
  hostile = await HostileWorld.start();
}, 120_000);
afterAll(() => hostile.world.end());

it('20,000 requests over all routes and callers: no fault, no end of a process, and the server serves on', async () => {
  await fuzz(hostile.world, hostile.names, hostile.callers, 20_000);
}, 1_800_000);

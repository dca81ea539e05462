import { ROLES } from '../src/shared/permissions.js';
import { fuzz } from './fuzz.js';
import { HostileWorld } from './hostile-world.js';

/** A long form of the last test of hostile-input.spec.ts: so many requests of each role. */
const REQUESTS = Number(process.env['KEYSTEAD_FUZZ_REQUESTS'] ?? 100_000);

let hostile: HostileWorld;
beforeAll(async () => {
  hostile = await HostileWorld.start();
}, 120_000);
afterAll(() => hostile.world.end());

it.each(ROLES)(
  `${REQUESTS} requests of a %s over all routes: no fault, no end of a process, and the server serves on`,
  async (role) => {
    await fuzz(hostile, REQUESTS, role);
  },
  7_200_000,
);

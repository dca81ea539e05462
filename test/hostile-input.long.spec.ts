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

it(`${REQUESTS} requests of each role over all routes: no fault, no end of a process, and the server serves on`, async () => {
  await Promise.all(ROLES.map((role) => fuzz(hostile, REQUESTS, role))); // each waits for its answers, and lets the others work
}, 14_400_000);

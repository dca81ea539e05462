import { HealthWorld } from './health-faults.js';

const CYCLES = Number(process.env['KEYSTEAD_HEALTH_CYCLES'] ?? 100);

let health: HealthWorld;
beforeAll(async () => {
  health = await HealthWorld.start();
}, 60_000);
afterAll(() => health?.end());

it('/readyz changes once when all tokens go and once when they come back, each time within 2 s', async () => {
  expect(await health.cycles(CYCLES)).toEqual([]);
}, 3_600_000);

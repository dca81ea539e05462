import { HealthWorld } from './health-faults.js';

let health: HealthWorld;
beforeAll(async () => {
  health = await HealthWorld.start();
}, 60_000);
afterAll(() => health?.end());

// A short form of health-faults.long.spec.ts.
it('/readyz changes once when all tokens go and once when they come back, each time within 2 s', async () => {
  expect(await health.cycles(5)).toEqual([]);
}, 120_000);

it('who asks after their health costs the units nothing: they hear of a probe a second at most, whoever asks', async () => {
  const seconds = 4;
  const quiet = await health.callsWhileAsked(0, seconds * 1_000);
  const busy = await health.callsWhileAsked(20, seconds * 1_000);
  expect(busy.asked).toBeGreaterThan(100);
  for (const { calls } of [quiet, busy]) {
    expect(Math.min(...calls)).toBeGreaterThan(0);
    expect(Math.max(...calls)).toBeLessThanOrEqual(seconds);
  }
}, 60_000);

import { setTimeout as after } from 'node:timers/promises';
import { Pace } from './pace.js';

const TIMER_MS = 1; // timers may be that much early

it('beginnings are so far apart', async () => {
  const [apartMs, turns] = [20, 5];
  const pace = new Pace(apartMs);
  const before = performance.now();
  for (let n = 0; n < turns; n += 1) await pace.turn();
  expect(performance.now() - before).toBeGreaterThanOrEqual((turns - 1) * (apartMs - TIMER_MS));
});

it('who comes later than that begins at once', async () => {
  const apartMs = 300;
  const pace = new Pace(apartMs);
  await pace.turn();
  await after(apartMs + TIMER_MS);
  const came = performance.now();
  await pace.turn();
  expect(performance.now() - came).toBeLessThan(apartMs);
});

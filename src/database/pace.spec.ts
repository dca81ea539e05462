import { setTimeout as after } from 'node:timers/promises';
import { Pace } from './pace.js';

const APART_MS = 20;
const TIMER_MS = 1; // timers may be that much early

it('beginnings are so far apart; who comes later than that begins at once', async () => {
  const pace = new Pace(APART_MS);
  const begun: number[] = [];
  for (const pause of [0, 0, 0, 3 * APART_MS]) {
    await after(pause);
    const came = performance.now();
    await pace.turn();
    begun.push(performance.now());
    if (pause > APART_MS) expect(performance.now() - came).toBeLessThan(APART_MS);
  }
  for (const n of [1, 2, 3]) expect((begun[n] ?? 0) - (begun[n - 1] ?? 0)).toBeGreaterThanOrEqual(APART_MS - TIMER_MS);
});

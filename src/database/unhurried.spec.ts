import { setTimeout as after } from 'node:timers/promises';
import { unhurried } from './unhurried.js';

const TIMER_MS = 1; // timers may be that much early

async function took(work: () => Promise<unknown>): Promise<number> {
  const before = performance.now();
  await work();
  return performance.now() - before;
}

it('rests three times as long as the work took, and gives what it gave', async () => {
  expect(await unhurried(() => Promise.resolve('given'))).toBe('given');
  expect(await took(() => unhurried(() => after(20)))).toBeGreaterThanOrEqual(4 * 20 - 4 * TIMER_MS);
});

it('rests less where less is asked for', async () => {
  const all = await took(() => unhurried(() => after(60), 0.5));
  expect(all).toBeGreaterThanOrEqual(1.5 * 60 - 2 * TIMER_MS);
  expect(all).toBeLessThan(4 * 60);
});

it('rests for 100 ms at most', async () => {
  let worked = 0;
  const all = await took(() =>
    unhurried(async () => {
      worked = await took(() => after(400));
    }),
  );
  expect(all - worked).toBeLessThan(3 * 400);
});

it('throws what the work throws', async () => {
  await expect(unhurried(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
});

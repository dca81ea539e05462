import { setTimeout as after } from 'node:timers/promises';
import { AtMost } from './at-most.js';

it('never has more under way than that, begins the others in their order, and goes on after a failure', async () => {
  const few = new AtMost(2);
  const began: number[] = [];
  let [now, most] = [0, 0];
  const work = async (n: number) => {
    began.push(n);
    now += 1;
    most = Math.max(most, now);
    await after(1);
    now -= 1;
    if (n === 1) throw new Error('failed');
    return n;
  };
  const ended = await Promise.allSettled([0, 1, 2, 3, 4].map((n) => few.run(() => work(n))));
  expect(ended.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'fulfilled']);
  expect(began).toEqual([0, 1, 2, 3, 4]);
  expect(most).toBe(2);
});

/** Whether an instance with many keys is as quick as one with few: medians in milliseconds, one request after another. */
import { performance } from 'node:perf_hooks';
import { makeKey } from './api.mjs';
import { median } from './numbers.mjs';

const ROUNDS = 100;
const WARM_UP = 30;

export async function measureLists(world) {
  const root = await makeKey(world, 'lists');
  const plaintext = Buffer.alloc(32, 0x5a).toString('base64');
  const acts = {
    wrap: () => world.ask('POST', `/api/v2/keys/${root}/actions/wrap`, { plaintext }),
    'get key': () => world.ask('GET', `/api/v2/keys/${root}`),
    'list page of 50': () => world.ask('GET', '/api/v2/keys?limit=50'),
  };
  const medians = {};
  for (const [name, act] of Object.entries(acts)) {
    const times = [];
    for (let n = -WARM_UP; n < ROUNDS; n += 1) {
      const before = performance.now();
      await act();
      if (n >= 0) times.push(performance.now() - before);
    }
    medians[name] = median(times);
  }
  return medians;
}

import { ServingCache } from './serving-cache.js';

it('judges again when an input is another object, and only for the instance it belongs to', () => {
  const cache = new ServingCache();
  const observation = {};
  let judged = 0;
  const ask = (instance: string, ...inputs: unknown[]) =>
    cache.of(instance, inputs, () => {
      judged += 1;
      return [`${instance} ${judged}`];
    });
  expect(ask('a', 'mkvp', observation)).toEqual(['a 1']);
  expect(ask('a', 'mkvp', observation)).toEqual(['a 1']);
  expect(ask('b', 'mkvp', observation)).toEqual(['b 2']);
  expect(ask('a', 'mkvp', { ...observation })).toEqual(['a 3']);
  expect(ask('a', 'mkvp')).toEqual(['a 4']);
  cache.clear();
  expect(ask('b', 'mkvp', observation)).toEqual(['b 5']);
});

it('judges again after a moment, whatever the inputs: a unit goes stale without a word', async () => {
  const cache = new ServingCache();
  cache.of('a', [], () => ['unit']);
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(cache.of('a', [], () => [])).toEqual([]);
});

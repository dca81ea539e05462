import { BatchReader } from './batch-reader.js';

const row = (id: string) => ({ id });

it('reads with one statement what is asked for while another is under way, and each id once', async () => {
  const asked: (readonly string[])[] = [];
  const reader = new BatchReader(
    async (ids) => {
      asked.push(ids);
      await new Promise((resolve) => setImmediate(resolve));
      return ids.filter((id) => id !== 'none').map(row);
    },
    ({ id }) => id,
  );
  const rows = await Promise.all(['a', 'b', 'none', 'b', 'a'].map((id) => reader.find(id)));
  expect(rows).toEqual([row('a'), row('b'), null, row('b'), row('a')]);
  expect(asked).toEqual([['a'], ['b', 'none', 'a']]);
});

it('lets nobody join a statement that has begun: what changed before the question is in the answer', async () => {
  let value = 1;
  const reader = new BatchReader(
    async (ids) => {
      const seen = value;
      await new Promise((resolve) => setImmediate(resolve));
      return ids.map((id) => ({ id, seen }));
    },
    ({ id }) => id,
  );
  const before = reader.find('a');
  value = 2;
  const after = reader.find('a');
  expect([(await before)?.seen, (await after)?.seen]).toEqual([1, 2]);
});

it('a statement that fails is the failure of those who waited for it, and of nobody else', async () => {
  let fails = true;
  const reader = new BatchReader(
    async (ids) => {
      if (fails) throw new Error('an outage');
      return ids.map(row);
    },
    ({ id }) => id,
  );
  await expect(reader.find('a')).rejects.toThrow('an outage');
  fails = false;
  expect(await reader.find('a')).toEqual(row('a'));
});

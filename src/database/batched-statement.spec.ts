import { BatchedStatement } from './batched-statement.js';

const row = (id: string) => ({ id });

const turn = () => new Promise((resolve) => setImmediate(resolve));

it('reads with one statement what is asked for in one turn, then what came while it was under way; each id once', async () => {
  const asked: (readonly string[])[] = [];
  const counted: (readonly number[])[] = [];
  const reader = new BatchedStatement(
    async (ids, counts) => {
      asked.push(ids);
      counted.push(counts);
      await turn();
      return ids.filter((id) => id !== 'none').map(row);
    },
    ({ id }) => id,
  );
  const first = ['a', 'b', 'a'].map((id) => reader.find(id));
  await turn();
  const second = ['none', 'b'].map((id) => reader.find(id));
  expect(await Promise.all([...first, ...second])).toEqual([row('a'), row('b'), row('a'), null, row('b')]);
  expect(asked).toEqual([
    ['a', 'b'],
    ['none', 'b'],
  ]);
  expect(counted).toEqual([
    [2, 1],
    [1, 1],
  ]);
});

it('lets nobody join a statement that has begun: what changed before the question is in the answer', async () => {
  let value = 1;
  const reader = new BatchedStatement(
    async (ids) => {
      const seen = value;
      await turn();
      return ids.map((id) => ({ id, seen }));
    },
    ({ id }) => id,
  );
  const before = reader.find('a');
  await turn();
  value = 2;
  const after = reader.find('a');
  expect([(await before)?.seen, (await after)?.seen]).toEqual([1, 2]);
});

it('a statement that fails is the failure of those who waited for it, and of nobody else', async () => {
  let fails = true;
  const reader = new BatchedStatement(
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

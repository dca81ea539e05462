import { blocksOf } from '../doc-blocks.js';
import { createKey, succeed, wrap } from '../units.js';
import { World } from '../world.js';

let world: World;
beforeAll(async () => {
  world = await World.initialised(2);
  await wrap(world, await createKey(world, 'root'));
}, 240_000);
afterAll(() => world.end());

it('the commands of docs/audit.md work as written', async () => {
  const blocks = blocksOf('docs/audit.md', 'audit');
  expect(blocks.length).toBeGreaterThanOrEqual(2);
  for (const block of blocks) await succeed(world.shell(`set -e\n${block}`));
}, 120_000);

it('a filter lets through what it says, and pages follow on each other', async () => {
  const list = async (...words: string[]) => {
    const { stdout } = await succeed(world.kp('audit', 'list', ...words, '-o', 'json'));
    return JSON.parse(stdout) as { seq: number; act: string; outcome: string; by: string }[];
  };
  const wraps = await list('--act', 'kms.secrets.wrap');
  expect(wraps.map(({ act }) => act)).toEqual(['kms.secrets.wrap']);
  expect((await list('--act', 'kms.secrets.*')).length).toBeGreaterThan(wraps.length);
  expect(await list('--by', 'nobody')).toEqual([]);
  expect(await list('--until', '2020-01-01')).toEqual([]);
  const first = await list('--limit', '3');
  const second = await list('--limit', '3', '--before', String(first.at(-1)?.seq));
  expect(second.map(({ seq }) => seq)).toEqual([4, 5, 6].map((back) => (first[0]?.seq ?? 0) - back + 1));
}, 120_000);

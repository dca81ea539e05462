import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, World } from './world.js';

/** The README's ceremony, each command executed as written. */
let world: World;
beforeAll(async () => {
  world = await World.start();
}, 60_000);
afterAll(() => world.end());

const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
const block = /```sh ceremony\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
const lines = block.split('\n').filter((line) => line !== '');

it('opens with the two commands', () => {
  const [first = ''] = /```sh\n([\s\S]*?)```/.exec(readme)?.slice(1) ?? [];
  expect(first.split('\n').map((line) => line.split(' #')[0]?.trim())).toEqual(['npm run demo', 'npm test', '']);
});

it('is about a dozen commands', () => {
  expect(lines.length).toBeGreaterThanOrEqual(9);
  expect(lines.length).toBeLessThanOrEqual(14);
});

it('is a ceremony in which every command succeeds as written', async () => {
  const shell = await world.shell(`set -e\n${lines.join('\n')}`);
  expect(shell).toMatchObject({ code: 0 });
  world.instance = JSON.parse((await world.kp('instance', 'list', '-o', 'json')).stdout)[0].id;
  expect(await world.states()).toEqual(['kms-initialized', 'kms-initialized', 'kms-initialized']);
}, 120_000);

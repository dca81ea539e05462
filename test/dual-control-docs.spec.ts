import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Machine } from './machine.js';
import { ROOT } from './processes.js';
import { World } from './world.js';

/** The blocks of docs/dual-control.md, each typed on the machine that it names, in their order. */
const page = readFileSync(join(ROOT, 'docs', 'dual-control.md'), 'utf8');
const blocks = [...page.matchAll(/^```sh (\w+)\n(.*?)^```$/gms)].map(([, machine = '', lines = '']) => ({
  machine,
  lines,
}));

let world: World;
beforeAll(async () => {
  world = await World.start();
}, 60_000);
afterAll(() => world.end());

it('every block of the page names a machine', () => {
  expect(blocks.length).toBeGreaterThan(15);
  expect(page.match(/^```sh/gm)).toHaveLength(blocks.length);
});

it('the commands of the page work as written, and end with the units as it says', async () => {
  const machines: Record<string, Machine> = {
    ada: Machine.online(world, 'ada'),
    bob: Machine.offline(world, 'bob'),
    carol: Machine.online(world, 'carol'),
  };
  for (const { machine, lines } of blocks) {
    const ran = await machines[machine]?.sh(lines);
    if (ran?.code !== 0) throw new Error(`${machine}:\n${lines}\nexit ${ran?.code}\n${ran?.stdout}${ran?.stderr}`);
  }
  const [instance] = (await world.api('GET', '/api/v1/instances')).body.instances;
  const states = instance.crypto_units.map(({ state }: { state: string }) => state);
  expect(states).toEqual(['kms-initialized', 'kms-initialized']);
  for (const unit of JSON.parse((await machines['carol']?.succeed('crypto-unit', 'users', '-o', 'json')) ?? '[]')) {
    expect(unit.threshold).toBe(2);
    const admins = unit.users.filter(({ type }: { type: string }) => type === 'admin');
    expect(admins.map(({ name }: { name: string }) => name)).toEqual(['ADMIN', 'carol', 'bob-2']);
  }
}, 240_000);

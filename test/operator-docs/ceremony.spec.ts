import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Machine } from '../machine.js';
import { run, World } from '../world.js';
import { execute, pageText } from './drill.js';

/** docs/ceremony.md with invented names, each step on the machine of whoever does it. */
let world: World;
beforeAll(async () => {
  world = await World.start();
}, 60_000);
afterAll(() => world.end());

const SECRETS = {
  ADMIN_PASSPHRASE: 'correct horse battery',
  SHARE_1: 'seven grey herons',
  SHARE_2: 'the kettle is on',
  SHARE_3: 'no ship before noon',
};

it('the script works as printed, and ends with units that two administrators hold, and evidence that an auditor can check', async () => {
  const laptop = Machine.online(world, 'laptop');
  const others = ['second', 'third', 'auditor'].map((name) => Machine.offline(world, name));
  const shellOf = (machine: Machine, more = {}) => (lines: string) =>
    run('sh', ['-e', '-c', lines], { cwd: machine.home, env: { ...machine.env(), ...more } });
  const shells = {
    laptop: shellOf(laptop, SECRETS),
    ...Object.fromEntries(others.map((machine) => [machine.name, shellOf(machine)])),
  };
  const wrong = await execute('docs/ceremony.md', shells, {
    'the laptop is wiped': () => rmSync(laptop.home, { recursive: true }),
  });
  expect(wrong).toEqual([]);
  const [instance] = (await world.api('GET', '/api/v1/instances')).body.instances;
  for (const { id } of instance.crypto_units) {
    const { body } = await world.api('GET', `/api/v1/cryptounits/${id}`);
    expect([body.state, body.record.threshold]).toEqual(['kms-initialized', 2]);
    expect(body.record.admins.map(({ name }: { name: string }) => name)).toEqual(['ADMIN', 'second', 'third']);
  }
  expect(existsSync(join(laptop.shared, 'evidence', 'audit.ndjson'))).toBe(true);
}, 300_000);

it('its steps are numbered without a gap, each with a box', () => {
  const numbers = [...pageText('docs/ceremony.md').matchAll(/^- \[ \] \*\*(\d+)\.\*\*/gm)].map(([, number]) => Number(number));
  expect(numbers).toEqual(numbers.map((_, at) => at + 1));
  expect(numbers.length).toBeGreaterThan(25);
});

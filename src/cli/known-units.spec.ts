import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { KnownUnits } from './known-units.js';

const SPKI = Buffer.from('a key');
const FINGERPRINT = 'ab'.repeat(32);
let home: string;
const open = () => new KnownUnits({ env: { KP_HOME: home }, now: () => new Date(0), wait: (ms) => wait(ms) });

beforeEach(async () => {
  home = join(await mkdtemp(join(tmpdir(), 'kp-known-')), 'home');
});
afterEach(() => rm(join(home, '..'), { recursive: true }));

test('a unit is unknown, then known, then forgotten; the file is 0600 in a directory of 0700', async () => {
  const known = open();
  expect(await known.find('u1')).toBeUndefined();
  await known.remember('u1', 'i1', SPKI, FINGERPRINT);
  expect(await open().find('u1')).toMatchObject({ instance: 'i1', fingerprint: FINGERPRINT });
  expect((await stat(join(home, 'known-units.json'))).mode & 0o777).toBe(0o600);
  expect((await stat(home)).mode & 0o777).toBe(0o700);
  await known.forget('u1');
  expect(await known.find('u1')).toBeUndefined();
  expect(await readdir(home)).toEqual(['known-units.json']);
});

test('many at once lose nothing', async () => {
  await Promise.all(Array.from({ length: 20 }, (_, at) => open().remember(`u${at}`, 'i1', SPKI, FINGERPRINT)));
  const { units } = JSON.parse(await readFile(join(home, 'known-units.json'), 'utf8')) as { units: object };
  expect(Object.keys(units)).toHaveLength(20);
});

test('the lock of a process that is gone is taken over', async () => {
  await open().forget('nobody');
  await writeFile(join(home, 'known-units.json.lock'), '4194305'); // above any pid
  await open().remember('u1', 'i1', SPKI, FINGERPRINT);
  expect(await open().find('u1')).toBeDefined();
});

test.each(['', 'x', '{}', '{"v":2,"units":{}}', '{"v":1,"units":{"u1":{"fingerprint":"x"}}}'])(
  'a file with %j is not believed',
  async (text) => {
    await open().forget('nobody');
    await writeFile(join(home, 'known-units.json'), text);
    await chmod(join(home, 'known-units.json'), 0o600);
    await expect(open().find('u1')).rejects.toMatchObject({ code: 'FILE_INVALID' });
    await expect(open().remember('u1', 'i1', SPKI, FINGERPRINT)).rejects.toMatchObject({ code: 'FILE_INVALID' });
  },
);

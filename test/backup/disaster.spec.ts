import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Load, serves } from '../units.js';
import { until } from '../until.js';
import { World } from '../world.js';
import { fill, loseEverything, lost, modeOf, recover, sh, wrapWith, written } from './drill.js';

/** The disaster of docs/backup.md: all units, the database and the host are lost; the dump and K shares are not. */
let world: World;
beforeAll(async () => {
  world = await World.withInstance(2, { embedded: true, env: { KEYSTEAD_TIMER_INTEGRITY_MS: '1000' } });
  await world.initialise();
}, 240_000);
afterAll(() => world.end());

const KEYS = 24;
const inFiles = (name: string) => join(world.files, name);
const mkvps = async () => {
  const { stdout } = await world.kp('crypto-unit', 'mk', 'list', '-o', 'json');
  return [...stdout.matchAll(/"(?:mkvp|mkId)": "([0-9a-f]+)"/g)].map(([, value]) => value).sort();
};
let sealed: Awaited<ReturnType<typeof fill>>;

it('a backup is taken while keys are used and made: a whole file that only its owner reads', async () => {
  sealed = await fill(world, KEYS);
  const load = new Load(world, sealed[0]?.key ?? '');
  await load.more(100);
  const answered = KEYS + load.served;
  const { code, stdout, stderr } = await sh(world, written('backup'));
  await load.more(5);
  await load.stop();
  expect({ code, stderr, failures: load.failures }).toEqual({ code: 0, stderr: '', failures: [] });
  expect(stdout).toContain('rows are in monday.backup');
  expect(modeOf(inFiles('monday.backup'))).toBe('600');
  const wraps = readFileSync(inFiles('monday.backup'), 'utf8').match(/"act":"kms\.secrets\.wrap"/g) ?? [];
  expect(wraps.length).toBeGreaterThanOrEqual(answered);
  expect(readdirSync(world.files).filter((name) => name.includes('unfinished'))).toEqual([]);
}, 120_000);

it('the same is taken on the host, and over HTTP by a Manager only; a line in the audit log says who took it', async () => {
  const host = await sh(world, written('host-backup'));
  expect([host.code, host.stdout]).toEqual([0, expect.stringContaining('rows are in host.backup')]);
  const { body } = await world.api('POST', '/api/v1/api-keys', { name: 'writer', roles: ['Writer'] });
  const refused = await world.kpWith({ KP_API_KEY: body.apiKey, KP_API_KEY_FILE: '' }, 'backup', 'mine.backup');
  expect([refused.code, existsSync(inFiles('mine.backup'))]).toEqual([4, false]);
  const acts = (await world.api('GET', '/api/v1/audit?act=database.backup')).body.lines;
  expect(acts.map(({ by, outcome }: { by: string; outcome: string }) => `${by} ${outcome}`)).toEqual([
    'writer failure',
    'keystead backup success',
    'bootstrap success',
  ]);
}, 60_000);

it('a backup never overwrites a file', async () => {
  const before = readFileSync(inFiles('monday.backup'));
  const { code, stderr } = await sh(world, written('backup'));
  expect([code, stderr]).toEqual([1, expect.stringContaining('monday.backup')]);
  expect(readFileSync(inFiles('monday.backup')).equals(before)).toBe(true);
}, 60_000);

it('a restore into a database that is in use, or not empty, is refused', async () => {
  const { code, stderr } = await sh(world, written('restore'));
  expect([code, stderr]).toEqual([2, expect.stringContaining('stop it first')]);
  await world.stopServer();
  const again = await sh(world, written('restore'));
  expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('not empty')]);
  await world.launch();
  for (const { id } of await world.units()) await serves(world, id, 30_000);
}, 120_000);

it('after the loss of everything, new units, K shares and the backup bring every key back', async () => {
  const before = await mkvps();
  expect(before.length).toBeGreaterThanOrEqual(2);
  await loseEverything(world);
  const text = readFileSync(inFiles('monday.backup'), 'utf8');
  writeFileSync(inFiles('bent.backup'), text.replace('"active"', '"activf"').replace('key-1"', 'key-2"'));
  const bent = await sh(world, 'keystead restore bent.backup');
  expect([bent.code, bent.stderr]).toEqual([1, expect.stringContaining('not as it was written')]);
  const milliseconds = await recover(world);
  expect(milliseconds).toBeLessThan(15 * 60_000);
  expect(await lost(world, sealed)).toEqual([]);
  expect(await mkvps()).toEqual(before);
  const rows = async () => (await world.api('GET', '/health')).body.checks;
  await until(async () => (await rows())['keys:integrity'][0].observedValue === 0, 20_000);
  expect((await rows())['database:rows'][0].observedValue).toBe(0);
}, 400_000);

it('the audit log goes on after the restore, in one chain that new units sign', async () => {
  await wrapWith(world, sealed[0]?.key ?? '');
  const exported = await world.kp('audit', 'export', 'after.ndjson');
  expect([exported.code, exported.stderr]).toEqual([0, '']);
  const { code, stdout } = await world.kp('audit', 'verify', 'after.ndjson', '-o', 'json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout).checkpoints).toHaveLength(2);
  const acts = readFileSync(inFiles('after.ndjson'), 'utf8');
  for (const act of ['database.backup', 'database.restore', 'crypto-unit.replace']) {
    expect(acts).toContain(`"action":"keystead.${act}"`);
  }
  expect(existsSync(inFiles('after.ndjson'))).toBe(true);
}, 120_000);

import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AuditLine } from '../src/audit/audit-line.entity.js';
import { findSoftHsm } from '../src/pkcs11/find-module.js';
import { unsealedPin } from '../src/unit-agent/pin-source.js';
import { SealKey } from '../src/unit-agent/seal.js';
import { UnitDir } from '../src/unit-agent/unit-dir.js';
import { openWith } from './database/own-database.js';
import { run } from './processes.js';
import { becomes, createKey, Load, opens, serves, succeed, unitOf, wrap } from './units.js';
import { until } from './until.js';
import { World } from './world.js';

/** What happens to the token of one unit of three, under a running server, while clients wrap without a pause. */
let world: World;
let key: string;
let ids: string[];
let load: Load;
beforeAll(async () => {
  world = await World.initialised(3);
  ids = (await world.units()).map((unit) => unit.id);
  key = await createKey(world, 'root');
}, 180_000);
afterAll(() => world.end());

const tokens = (id: string) => join(world.unitDir(id), 'tokens');
const tokenDir = (id: string) => join(tokens(id), readdirSync(tokens(id))[0] ?? '');
const objectFiles = (id: string) =>
  readdirSync(tokenDir(id))
    .filter((name) => name.endsWith('.object') && name !== 'token.object')
    .map((name) => join(tokenDir(id), name));
const aside = () => join(world.dir, 'aside');

/** Brings a unit's tokens back as they were, when there is something to bring back. */
function putBack(id: string) {
  if (!existsSync(aside())) return;
  rmSync(tokens(id), { recursive: true, force: true });
  renameSync(aside(), tokens(id));
}
const keep = (id: string) => cpSync(tokens(id), aside(), { recursive: true, preserveTimestamps: true });

/** The unit was never shown as reserved, and is not offered to clients, while `load` ran without a failure. */
async function assertSetAside(id: string) {
  expect((await unitOf(world, id)).state).toBe('kms-initialized');
  expect((await world.api('GET', `/health/units/${id}`)).status).toBe(503);
  expect((await world.api('GET', '/readyz')).status).toBe(200);
  await load.more(20);
  expect(load.failures).toEqual([]);
}

beforeEach(async () => {
  await Promise.all(ids.map((id) => serves(world, id, 20_000)));
  load = new Load(world, key);
  await load.more(10);
});
afterEach(async () => {
  await load.stop();
  expect(load.failures).toEqual([]);
});

describe('a token directory that is moved away', () => {
  afterEach(() => putBack(ids[0] ?? ''));

  it('is TokenLost within 10 s and never reserved; the others serve on, for kp too', async () => {
    const [id = ''] = ids;
    const pids = [world.serverPid, world.agentPid(id)];
    renameSync(tokens(id), aside());
    const seen = new Set<string>();
    await until(async () => {
      const unit = await unitOf(world, id);
      seen.add(unit.state);
      return unit.conditions.some(({ reason }) => reason === 'TokenLost');
    }, 10_000);
    expect([...seen]).toEqual(['kms-initialized']);
    await assertSetAside(id);
    expect(await opens(world, key, await wrap(world, key))).toBe(true);
    const listed = await world.kp('crypto-units');
    expect([listed.code, listed.stderr]).toEqual([0, expect.stringMatching(new RegExp(`${id}: .*TokenLost`))]);
    putBack(id);
    await serves(world, id);
    expect([world.serverPid, world.agentPid(id)]).toEqual(pids);
  });

  it('still is TokenLost after a SIGKILL of server and agents, and no token is made in its place', async () => {
    const [id = ''] = ids;
    await load.stop();
    renameSync(tokens(id), aside());
    await world.killServer();
    await world.launch();
    await becomes(world, id, ['Reachable', 'False', 'TokenLost']);
    expect(readdirSync(world.unitDir(id))).not.toContain('tokens');
    await Promise.all(ids.slice(1).map((other) => serves(world, other)));
    load = new Load(world, key);
    await assertSetAside(id);
    putBack(id);
    await serves(world, id);
  });
});

describe('a token that is wiped behind our back', () => {
  afterEach(() => putBack(ids[1] ?? ''));

  it('and initialised anew with softhsm2-util is seen within 10 s, said, and never served', async () => {
    const [, id = ''] = ids;
    const { serial } = (await world.api('GET', `/api/v1/cryptounits/${id}`)).body;
    keep(id);
    const env = { PATH: process.env['PATH'] ?? '', SOFTHSM2_CONF: join(world.unitDir(id), 'softhsm2.conf') };
    const agent = world.agentPid(id);
    process.kill(agent, 'SIGSTOP'); // between the two it would see a token without its record, which is another test
    await succeed(run('softhsm2-util', ['--delete-token', '--serial', serial], { env }));
    const anew = ['--init-token', '--free', '--label', 'x', '--so-pin', '123456', '--pin', '123456'];
    await succeed(run('softhsm2-util', anew, { env }));
    process.kill(agent, 'SIGCONT');
    await becomes(world, id, ['Reachable', 'False']);
    await assertSetAside(id);
    expect((await unitOf(world, id)).conditions[0]?.message).toContain(serial);
    putBack(id);
    await serves(world, id, 20_000);
  });

  it('by deleting its objects is seen within 10 s, said, and never served', async () => {
    const [, id = ''] = ids;
    keep(id);
    for (const file of objectFiles(id)) rmSync(file);
    await becomes(world, id, ['Reachable', 'False', 'TokenLost']);
    await assertSetAside(id);
    putBack(id);
    await serves(world, id, 20_000);
  });

  it('by deleting the unit record is TokenLost, and the master key is not touched', async () => {
    const [, id = ''] = ids;
    keep(id);
    const bySize = objectFiles(id).sort((a, b) => statSync(b).size - statSync(a).size);
    for (const file of bySize.slice(0, 2)) rmSync(file); // the two records, with their receipts, are the largest objects
    await becomes(world, id, ['Reachable', 'False', 'TokenLost']);
    await assertSetAside(id);
    expect(objectFiles(id)).toHaveLength(bySize.length - 2);
    putBack(id);
    await serves(world, id, 20_000);
  });
});

describe('a token whose master key somebody with the PIN changed', () => {
  afterEach(() => putBack(ids[1] ?? ''));

  /** Changes what is on the token, under the agent that has it open; SoftHSM takes part in it as one more process. */
  function change(id: string, how: string) {
    using pin = unsealedPin(new UnitDir(world.unitDir(id)), SealKey.open(join(world.dataDir, 'seal-key'), false));
    const script = fileURLToPath(new URL('unit-agent/change-master-key.mjs', import.meta.url));
    const env = { ...process.env, SOFTHSM2_CONF: join(world.unitDir(id), 'softhsm2.conf') };
    const ran = spawnSync(process.execPath, [script, findSoftHsm() ?? '', how], { env, input: pin?.bytes });
    expect([ran.stdout.toString(), ran.stderr.toString()]).toEqual(['changed\n', '']);
  }

  /** How often the unit wrapped for a client. */
  async function wrapsOf(unitId: string): Promise<number> {
    const db = await openWith(world.databaseUrl, [AuditLine]);
    try {
      return await db.manager.countBy(AuditLine, { unitId, act: 'kms.secrets.wrap' });
    } finally {
      await db.destroy();
    }
  }

  it.each([
    ['into another one under the same ids', 'another'],
    ['in the half that authenticates rows', 'another-mac'],
    ['so that there are two of the same id', 'two'],
    ['so that there is none', 'none'],
  ])(
    '%s is a MasterKeyMismatch within 10 s and serves no request, before and after a restart of its agent',
    async (_what, how) => {
      const [, id = ''] = ids;
      keep(id);
      change(id, how);
      await becomes(world, id, ['Quarantined', 'True', 'MasterKeyMismatch']);
      await assertSetAside(id);
      const before = await wrapsOf(id);
      const pid = world.agentPid(id);
      process.kill(pid, 'SIGKILL');
      await until(async () => world.agentPid(id) !== pid, 10_000);
      await becomes(world, id, ['Quarantined', 'True', 'MasterKeyMismatch']);
      await assertSetAside(id);
      expect((await unitOf(world, id)).conditions).toContainEqual(
        expect.objectContaining({ type: 'MasterKeyMatches', status: 'False', reason: 'CheckFailed' }),
      );
      expect(await wrapsOf(id)).toBe(before);
      putBack(id);
      await serves(world, id, 20_000);
    },
  );
});

it('a token.object that is emptied is recovered from its copy', async () => {
  const [, , id = ''] = ids;
  const before = world.log.length;
  truncateSync(join(tokenDir(id), 'token.object'), 0);
  await until(async () => /token-object-restored.*token-open/s.test(world.log.slice(before)), 10_000);
  await serves(world, id);
  expect(statSync(join(tokenDir(id), 'token.object')).size).toBeGreaterThan(0);
});

describe('a sealed PIN', () => {
  const sealed = (id = '') => join(world.unitDir(id), 'pin.sealed');

  it.each([
    [
      'that is damaged',
      (whole: string) => whole.replace(/"sealed":"./, (begin) => begin.replace(/.$/, begin.endsWith('A') ? 'B' : 'A')),
    ],
    ['that is empty', () => ''],
    ['of another unit', () => readFileSync(sealed(ids[0]), 'utf8')],
  ])('%s is said by the next agent; put back, it opens the unit without another restart', async (_what, damage) => {
    const [, , id = ''] = ids;
    const pid = world.agentPid(id);
    const whole = readFileSync(sealed(id), 'utf8');
    writeFileSync(sealed(id), damage(whole));
    process.kill(pid, 'SIGKILL');
    await until(async () => world.agentPid(id) !== pid, 10_000);
    await becomes(world, id, ['Reachable', 'False', 'ConfigInvalid']);
    expect((await unitOf(world, id)).conditions[0]?.message).toContain('pin.sealed');
    await assertSetAside(id);
    const next = world.agentPid(id);
    writeFileSync(sealed(id), whole);
    await serves(world, id, 20_000);
    expect(world.agentPid(id)).toBe(next);
  });
});

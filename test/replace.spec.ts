import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, run } from './processes.js';
import { becomes, createKey, opens, serves, succeed, unitOf, wrap } from './units.js';
import { until } from './until.js';
import { World } from './world.js';

/** Units that are beyond repair, and the ways back to three that serve: replace, and zeroize on the agent's own host. */
let world: World;
let key: string;
let sealed: string;
let ids: string[];
beforeAll(async () => {
  world = await World.initialised(3);
  ids = (await world.units()).map((unit) => unit.id);
  key = await createKey(world, 'root');
  sealed = await wrap(world, key);
}, 180_000);
afterAll(() => world.end());

const inUnit = (id: string, name: string) => join(world.unitDir(id), name);
const replace = (id: string) => world.kp('crypto-unit', 'replace', id);
const cu = (id: string) => JSON.stringify([{ CryptoUnitId: id, Auth: JSON.parse(world.auth) }]);
const isRunning = (pid: number) => existsSync(`/proc/${pid}`);
const linesOf = async (act: string) => {
  const { stdout } = await succeed(world.kp('audit', 'list', '--limit', '200', '-o', 'json'));
  return (JSON.parse(stdout) as { act: string; unitId: string; target: string }[]).filter((line) => line.act === act);
};

/** Claim, mk import and user add of one unit, as the documentation tells for a unit that was replaced or wiped. */
async function initialise(id: string) {
  await succeed(world.kp('crypto-unit', 'claim', '--credential', 'admin.key', '--ids', id));
  const two = '["share-1.key#env:SHARE_1","share-2.key#env:SHARE_2"]';
  await succeed(world.kp('crypto-unit', 'mk', 'import', '--keyshare-files', two, '--cu', cu(id)));
  await succeed(world.kp('crypto-unit', 'user', 'add', '--type', 'kmsCryptoUser', '--cu', cu(id)));
  expect((await unitOf(world, id)).state).toBe('kms-initialized');
  await serves(world, id);
}

/** Whether this very unit opens what was wrapped before it held the master key. */
async function opensOldKey(id: string) {
  const opened = async () => (await linesOf('kms.secrets.unwrap')).filter((line) => line.unitId === id).length;
  const before = await opened();
  for (let turn = 0; turn < 12 && (await opened()) === before; turn += 1) {
    expect(await opens(world, key, sealed)).toBe(true);
  }
  return (await opened()) > before;
}

describe('kp crypto-unit replace', () => {
  it('of a unit that serves is refused, with the way out', async () => {
    const [id = ''] = ids;
    const { code, stderr } = await replace(id);
    expect([code, stderr]).toEqual([1, expect.stringContaining(`kp crypto-unit zeroize --id ${id}`)]);
    expect((await world.units()).map((unit) => unit.id)).toEqual(ids);
  });

  it('puts a reserved unit in the place and the zone of one whose token is lost, and ends the agent of that one', async () => {
    const [, lost = ''] = ids;
    const pid = world.agentPid(lost);
    rmSync(inUnit(lost, 'tokens'), { recursive: true });
    await becomes(world, lost, ['Reachable', 'False', 'TokenLost']);
    const { zone } = (await world.api('GET', `/api/v1/cryptounits/${lost}`)).body;
    const { stdout } = await succeed(replace(lost));
    const units = await world.units();
    const made = units[1]?.id ?? '';
    expect(stdout).toContain(`kp crypto-unit claim --credential FILE --ids ${made}`);
    expect(units.map((unit) => unit.id)).toEqual([ids[0], expect.not.stringContaining(lost), ids[2]]);
    expect(units.map((unit) => unit.state)).toEqual(['kms-initialized', 'reserved', 'kms-initialized']);
    expect((await world.api('GET', `/api/v1/cryptounits/${made}`)).body.zone).toBe(zone);
    expect(await linesOf('crypto-unit.replace')).toEqual([expect.objectContaining({ unitId: lost, target: made })]);
    await until(async () => !isRunning(pid), 10_000);
    ids = units.map((unit) => unit.id);
  });

  it('leaves a unit that claim, mk import and user add of it alone bring to kms-initialized, and old keys open on it', async () => {
    const [, id = ''] = ids;
    await becomes(world, id, ['Reachable', 'True']);
    await initialise(id);
    expect(await opensOldKey(id)).toBe(true);
    for (const unit of ids) await becomes(world, unit, ['InSync', 'True']);
  });
});

describe('keystead agent zeroize', () => {
  const zeroize = (id: string, ...more: string[]) => {
    const words = ['agent', 'zeroize', '--unit', id, '--data-dir', world.dataDir, ...more];
    return run(process.execPath, [join(ROOT, 'bin', 'keystead'), ...words], {
      env: { PATH: process.env['PATH'] ?? '' },
    });
  };

  it('without --yes and without anybody to ask changes nothing', async () => {
    const [id = ''] = ids;
    const { code, stdout } = await zeroize(id);
    expect(code).not.toBe(0);
    expect(stdout).not.toContain('is zeroized');
    expect((await unitOf(world, id)).state).toBe('kms-initialized');
  });

  it('brings a unit to reserved under its running agent, and the server believes it by its receipt', async () => {
    const [id = ''] = ids;
    const { code, stdout } = await zeroize(id, '--yes');
    expect([code, stdout]).toEqual([0, expect.stringContaining(`crypto unit ${id} is zeroized`)]);
    await until(async () => (await unitOf(world, id)).state === 'reserved', 10_000);
    await becomes(world, id, ['Reachable', 'True']);
    expect(await linesOf('crypto-unit.seen-zeroized')).toEqual([expect.objectContaining({ unitId: id })]);
    expect((await world.api('GET', '/readyz')).status).toBe(200);
  });

  it('leaves a unit that is claimed and loaded again, with a new receipt key that kp accepts for that receipt', async () => {
    const [id = ''] = ids;
    await initialise(id);
    expect(await opensOldKey(id)).toBe(true);
  });
});

describe('a unit whose directory was emptied by hand', () => {
  /** As if it had never been claimed: its agent makes a new token. */
  async function empty(id: string) {
    const pid = world.agentPid(id);
    for (const name of ['claimed', 'serial', 'pin.sealed', 'tokens']) rmSync(inUnit(id, name), { recursive: true });
    process.kill(pid, 'SIGKILL');
    await until(async () => world.agentPid(id) !== pid, 10_000);
    await until(async () => existsSync(inUnit(id, 'serial')), 10_000);
  }

  it('is lost and not reserved: its new token shows no receipt of a zeroize', async () => {
    const [, , id = ''] = ids;
    await empty(id);
    await becomes(world, id, ['Reachable', 'False', 'TokenLost']);
    await becomes(world, id, ['Quarantined', 'True', 'SerialChanged']);
    expect((await unitOf(world, id)).state).toBe('kms-initialized');
    expect((await world.api('GET', `/health/units/${id}`)).status).toBe(503);
  });

  it("is not made reserved by another unit's receipt, nor by a new start of the server", async () => {
    const [other = '', , id = ''] = ids;
    const { serial, record } = (await world.api('GET', `/api/v1/cryptounits/${id}`)).body;
    const borrowed = JSON.parse(readFileSync(inUnit(other, 'zeroized.json'), 'utf8'));
    const forged = { ...borrowed, serial, epoch: record.epoch };
    writeFileSync(inUnit(id, 'zeroized.json'), `${JSON.stringify(forged)}\n`, { mode: 0o600 });
    await world.killServer();
    await world.launch();
    await becomes(world, id, ['Reachable', 'False', 'TokenLost']);
    expect((await unitOf(world, id)).state).toBe('kms-initialized');
    expect(await linesOf('crypto-unit.seen-zeroized')).toHaveLength(1);
  });

  it('cannot be claimed, and is replaced', async () => {
    const [, , id = ''] = ids;
    const claimed = await world.kp('crypto-unit', 'claim', '--credential', 'admin.key', '--ids', id);
    expect([claimed.code, claimed.stderr]).toEqual([1, expect.stringContaining(`kp crypto-unit replace ${id}`)]);
    expect((await unitOf(world, id)).state).toBe('kms-initialized');
    await succeed(replace(id));
    const made = (await world.units())[2]?.id ?? '';
    expect((await unitOf(world, made)).state).toBe('reserved');
    expect((await replace(id)).stderr).toContain(`there is no crypto unit ${id}`);
  });
});

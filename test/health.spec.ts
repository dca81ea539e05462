import { readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { ROOT } from './processes.js';
import { createKey, instanceHeader, Load, opens, patience, succeed, wrap } from './units.js';
import { until } from './until.js';
import { World } from './world.js';

/** Health through the life of a server that has a PostgreSQL of its own. */
let world: World;
beforeAll(async () => {
  world = await World.start({ embedded: true });
}, 60_000);
afterAll(() => world.end());

/** Without credentials, as load balancers ask. */
const get = (path: string, method = 'GET') => fetch(world.url + path, { method });
const ROUTES = ['/livez', '/startupz', '/readyz', '/health', '/health/state'];
const unitRoutes = async () =>
  world.instance === '' ? [] : (await world.units()).map((unit) => `/health/units/${unit.id}`);
const state = async () => ((await (await get('/health/state')).json()) as { state: string }).state;
const comesTo = (wanted: string, deadlineMs = 10_000) =>
  until(
    async () => (await state()) === wanted,
    deadlineMs,
    () => `not ${wanted}\n${world.logTail()}`,
  );

/** The status of each route, and of /health with each of its parameters. */
async function verdict() {
  const [ready, health] = await Promise.all([get('/readyz'), get('/health')]);
  const { status, state: shown } = (await health.json()) as { status: string; state: string };
  expect((await ready.json()) as object).toMatchObject({ status, state: shown });
  expect(ready.headers.get('retry-after')).toBe(ready.status === 503 ? '2' : null);
  return { state: shown, status, ready: ready.status, health: health.status };
}

/** HEAD says what GET says; nothing is cached; nothing names a token, a key or a version. */
async function assertPlain(secrets: readonly string[]) {
  for (const route of [...ROUTES, ...(await unitRoutes())]) {
    const [asked, head] = [await get(route), await get(route, 'HEAD')];
    expect([route, head.status, await head.text()]).toEqual([route, asked.status, '']);
    for (const { headers } of [asked, head]) {
      expect([route, headers.get('cache-control')]).toEqual([route, 'no-store']);
      expect(headers.get('content-type')).toContain(route === '/health' ? 'application/health+json' : 'json');
      expect([headers.get('server'), headers.get('x-powered-by')]).toEqual([null, null]);
    }
    const body = await asked.text();
    for (const secret of secrets) expect([route, body.includes(secret)]).toEqual([route, false]);
    expect(body).not.toMatch(/[0-9a-f]{16}|softhsm|node|version/i);
  }
}

describe('before there is an instance', () => {
  it('the server lives and has started, is uninitialized, and takes no traffic', async () => {
    expect([(await get('/livez')).status, (await get('/startupz')).status]).toEqual([200, 200]);
    expect(await verdict()).toEqual({ state: 'uninitialized', status: 'fail', ready: 503, health: 501 });
    await assertPlain([]);
  });

  it('?uninitcode sets the code of that state, and no other parameter does', async () => {
    expect((await get('/health?uninitcode=299')).status).toBe(299);
    expect((await get('/health?warncode=298&failcode=297')).status).toBe(501);
  });

  it.each([
    'warncode=199',
    'warncode=600',
    'uninitcode=abc',
    'failcode=',
    'failcode=200.5',
    'failcode=0x1F4',
    'other=200',
    'warncode=200&warncode=201',
  ])('/health?%s is a bad request', async (query) => {
    const { status } = await get(`/health?${query}`);
    expect(status).toBe(400);
  });

  it('a unit that is not there is 404, and what cannot be a unit 400', async () => {
    expect((await get('/health/units/6e0aead3-9d44-4c92-a4c4-f7a1ab415420')).status).toBe(404);
    expect((await get('/health/units/x')).status).toBe(400);
    expect((await get('/health/units/6e0aead3-9d44-4c92-a4c4-f7a1ab415420', 'HEAD')).status).toBe(404);
  });
});

describe('with an instance', () => {
  it('is sealed until a unit is kms-initialized', async () => {
    const made = await succeed(world.kp('instance', 'create', 'TEST', '--crypto-units', '2', '-o', 'json'));
    world.instance = JSON.parse(made.stdout).id;
    await comesTo('sealed');
    expect(await verdict()).toEqual({ state: 'sealed', status: 'fail', ready: 503, health: 503 });
    expect((await get('/health?failcode=204')).status).toBe(204);
    const [unit] = await world.units();
    const asked = await get(`/health/units/${unit?.id}`);
    expect([asked.status, await asked.json()]).toEqual([503, { status: 'fail', state: 'reserved', canary: true }]);
  });

  it('is operational when the ceremony is done, and says nothing about tokens, keys and versions', async () => {
    await world.initialise();
    expect(await verdict()).toEqual({ state: 'operational', status: 'pass', ready: 200, health: 200 });
    const shown = await Promise.all(
      (await world.units()).map(async ({ id }) => (await world.api('GET', `/api/v1/cryptounits/${id}`)).body),
    );
    await assertPlain([
      ...shown.flatMap((unit) => [unit.serial, unit.record.masterKey.mkvp, unit.receiptKey.fingerprint]),
      JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version,
    ]);
    expect((await get('/health?warncode=299&failcode=299&uninitcode=299')).status).toBe(200);
  });

  it('is degraded while a unit is in maintenance, still takes traffic, and comes back', async () => {
    const [unit] = await world.units();
    const id = unit?.id ?? '';
    await succeed(world.kp('crypto-unit', 'maintenance', id, '--on'));
    expect(await verdict()).toEqual({ state: 'degraded', status: 'warn', ready: 200, health: 200 });
    expect((await get('/health?warncode=429')).status).toBe(429);
    expect((await get(`/health/units/${id}`)).status).toBe(503);
    await succeed(world.kp('crypto-unit', 'maintenance', id, '--off'));
    expect(await verdict()).toEqual({ state: 'operational', status: 'pass', ready: 200, health: 200 });
    expect(await (await get(`/health/units/${id}`)).json()).toMatchObject({ status: 'pass', canary: true });
  });
});

const data = () => join(world.dataDir, 'postgres', 'data');
const postmaster = () => Number(readFileSync(join(data(), 'postmaster.pid'), 'utf8').split('\n')[0]);

describe('/livez', () => {
  /** How long nineteen answers of twenty took at most, asked for so long one after the other; each of them is 200. */
  async function slowestOf(milliseconds: number): Promise<number> {
    const took: number[] = [];
    for (const end = Date.now() + milliseconds; Date.now() < end; await after(10)) {
      const began = performance.now();
      const { status } = await get('/livez');
      took.push(performance.now() - began);
      expect(status).toBe(200);
    }
    return took.sort((a, b) => a - b)[Math.floor(took.length * 0.95)] ?? Number.NaN;
  }

  const childrenOf = (pid: number) =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);

  it('answers within 50 ms while clients load the server, and while the agents and PostgreSQL hang', async () => {
    const load = new Load(world, await createKey(world, 'loaded'), 16);
    await load.more(100);
    expect(await slowestOf(2_000)).toBeLessThan(patience(50));
    const hanging = [
      ...(await world.units()).map(({ id }) => world.agentPid(id)),
      ...[postmaster(), ...childrenOf(postmaster())],
    ];
    try {
      for (const pid of hanging) process.kill(pid, 'SIGSTOP');
      expect(await slowestOf(1_500)).toBeLessThan(patience(50));
    } finally {
      for (const pid of hanging) process.kill(pid, 'SIGCONT');
      await load.stop();
    }
    await comesTo('operational');
  }, 60_000);
});

describe('when PostgreSQL dies', () => {
  let key: string;
  beforeAll(async () => {
    key = await createKey(world, 'root');
  });

  it('it is started again, requests are served within 3 s, and no acknowledged audit line is lost', async () => {
    const load = new Load(world, key);
    await load.more(20);
    process.kill(postmaster(), 'SIGKILL');
    const began = Date.now();
    await until(async () => load.failures.length > 0, 10_000);
    await load.more(5);
    expect(Date.now() - began).toBeLessThan(patience(3_000));
    await load.stop();
    for (const failure of load.failures) expect(failure).toMatch(/^503 .*SERVICE_UNAVAILABLE_ERR/);
    const lines = await auditLines();
    expect(lines.map((line) => line.seq)).toEqual(lines.map((_line, n) => lines.length - n));
    expect(lines.filter((line) => line.act === 'kms.secrets.wrap').length).toBeGreaterThanOrEqual(load.served);
  });

  it('as long as it does not come back: 503 database-unavailable, for health and for clients', async () => {
    await comesTo('operational', patience(3_000));
    const sealed = await wrap(world, key);
    const conf = join(data(), 'postgresql.conf');
    renameSync(conf, `${conf}.away`);
    process.kill(postmaster(), 'SIGKILL');
    await comesTo('database-unavailable', patience(3_000));
    expect(await verdict()).toEqual({ state: 'database-unavailable', status: 'fail', ready: 503, health: 503 });
    expect((await get('/livez')).status).toBe(200);
    const asked = await world.api('GET', '/api/v1/cryptounits', undefined, instanceHeader(world));
    expect([asked.status, asked.headers.get('retry-after')]).toEqual([503, '2']);
    renameSync(`${conf}.away`, conf);
    await comesTo('operational', patience(5_000));
    expect(await opens(world, key, sealed)).toBe(true);
  });

  async function auditLines() {
    const lines: { seq: number; act: string }[] = [];
    for (let before = ''; ; before = `&before=${lines.at(-1)?.seq}`) {
      const { body } = await world.api('GET', `/api/v1/audit?limit=1000${before}`);
      if (body.lines.length === 0) return lines;
      lines.push(...body.lines);
    }
  }
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { METRICS } from '../src/health/metrics.js';
import { ROOT } from './processes.js';
import { instanceHeader } from './units.js';
import { until } from './until.js';
import { World } from './world.js';

/** Metrics, and the policy of an instance that lets its use be measured. */
let world: World;
beforeAll(async () => {
  world = await World.withInstance(2, { env: { KEYSTEAD_IMPORT_PAIR_POOL: '1' } });
  await world.initialise();
}, 240_000);
afterAll(() => world?.end());

interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}
const SERIES = /^(\w+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="([^"]*)"/g;
const DATA_KEY = Buffer.alloc(32, 7).toString('base64');

const metrics = async (): Promise<string> => (await world.api('GET', '/metrics')).text;

/** Every series that Prometheus would read. */
async function scraped(): Promise<Series[]> {
  const lines = (await metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => {
    const [, name = '', labels = '', value] = SERIES.exec(line) ?? [];
    return {
      name,
      labels: Object.fromEntries([...labels.matchAll(LABEL)].map(([, n, v]) => [n, v])),
      value: Number(value),
    };
  });
}

/** The sum over the series of that name whose labels include these. */
function sum(series: readonly Series[], name: string, labels: Readonly<Record<string, string>> = {}): number {
  const fits = (one: Series) => Object.entries(labels).every(([label, value]) => one.labels[label] === value);
  return series.filter((one) => one.name === name && fits(one)).reduce((all, { value }) => all + value, 0);
}

const requestsOf = async (act: string) =>
  sum(await scraped(), 'keystead_request_duration_seconds_count', {
    act,
    instance: world.instance,
    outcome: 'success',
  });
const list = () => world.api('GET', '/api/v1/cryptounits', undefined, { 'instance-id': world.instance });

async function enableMetrics(): Promise<void> {
  const type = 'application/vnd.ibm.kms.policy+json';
  const body = {
    metadata: { collectionType: type, collectionTotal: 1 },
    resources: [{ policy_type: 'metrics', policy_data: { enabled: true } }],
  };
  const { status, text } = await world.api(
    'PUT',
    '/api/v2/instance/policies?policy=metrics',
    body,
    instanceHeader(world),
  );
  if (status !== 204) throw new Error(text);
}

async function createKey(): Promise<string> {
  const resource = { type: 'application/vnd.ibm.kms.key+json', name: 'a key', extractable: false };
  const body = {
    metadata: { collectionType: resource.type, collectionTotal: 1 },
    resources: [resource],
  };
  const made = await world.api('POST', '/api/v2/keys', body, instanceHeader(world));
  if (made.status !== 201) throw new Error(made.text);
  return made.body.resources[0].id;
}

async function wrap(key: string): Promise<number> {
  const path = `/api/v2/keys/${key}/actions/wrap`;
  return (await world.api('POST', path, { plaintext: DATA_KEY }, instanceHeader(world))).status;
}

it('want a key, and are what Prometheus reads', async () => {
  expect((await world.api('GET', '/metrics', undefined, { authorization: '' })).status).toBe(401);
  const answer = await world.api('GET', '/metrics');
  expect([answer.status, answer.headers.get('content-type')]).toEqual([
    200,
    expect.stringMatching(/^text\/plain; version=0\.0\.4/),
  ]);
  for (const { name, type } of METRICS)
    expect(answer.text).toMatch(new RegExp(`^# HELP ${name} .+\n# TYPE ${name} ${type}$`, 'm'));
  const series = await scraped();
  expect(
    series.filter(({ name, value }) => name === '' || (Number.isNaN(value) && !name.includes('eventloop_lag'))),
  ).toEqual([]);
  expect(sum(series, 'keystead_process_resident_memory_bytes')).toBeGreaterThan(0);
  expect(series.some(({ name }) => name === 'keystead_nodejs_eventloop_lag_p99_seconds')).toBe(true);
});

it('count the requests about an instance from when its policy says so', async () => {
  await list();
  expect(await requestsOf('crypto-unit.read')).toBe(0);
  await enableMetrics();
  await until(async () => {
    await list();
    return (await requestsOf('crypto-unit.read')) > 0;
  }, 20_000);
  const before = await requestsOf('crypto-unit.read');
  await list();
  await list();
  expect(await requestsOf('crypto-unit.read')).toBe(before + 2);
}, 120_000);

it('say how the units, the log, the database and the server are', async () => {
  await until(async () => sum(await scraped(), 'keystead_import_pairs_ready') > 0, 120_000);
  const series = await scraped();
  const units = await world.units();
  for (const { id: unit } of units) {
    for (const name of ['keystead_unit_serving', 'keystead_unit_canary']) expect(sum(series, name, { unit })).toBe(1);
    expect(sum(series, 'keystead_unit_state', { unit, state: 'kms-initialized' })).toBe(1);
    expect(sum(series, 'keystead_unit_breaker_state', { unit, state: 'closed' })).toBe(1);
    expect(sum(series, 'keystead_unit_condition', { unit, condition: 'Reachable', status: 'True' })).toBe(1);
    expect(sum(series, 'keystead_unit_sessions', { unit, state: 'open' })).toBeGreaterThan(0);
    expect(sum(series, 'keystead_unit_probe_duration_seconds', { unit })).toBeGreaterThan(0);
    expect(sum(series, 'keystead_unit_condition', { unit })).toBe(4);
  }
  for (const name of ['keystead_unit_state', 'keystead_unit_breaker_state'])
    expect(sum(series, name)).toBe(units.length);
  expect(sum(series, 'keystead_health_state')).toBe(1);
  for (const name of ['keystead_ready', 'keystead_audit_writable', 'keystead_database_writable']) {
    expect(sum(series, name)).toBe(1);
  }
  expect(sum(series, 'keystead_database_connections')).toBeGreaterThan(0);
  await wrap(await createKey());
  expect(Date.now() / 1_000 - sum(await scraped(), 'keystead_audit_last_write_timestamp_seconds')).toBeLessThan(120);
}, 150_000);

it('move by exactly as many as there were wraps, and gain no series by other keys', async () => {
  const [first, ...others] = await Promise.all(Array.from({ length: 4 }, createKey));
  const wrapped = { operation: 'encrypt', outcome: 'success' };
  for (const { id: unit } of await world.units())
    await until(async () => {
      await wrap(first as string);
      return sum(await scraped(), 'keystead_unit_call_duration_seconds_count', { ...wrapped, unit }) > 0;
    }, 20_000);
  const before = await scraped();
  const statuses = await Promise.all([...others, ...others, ...others].map(wrap));
  expect(statuses).toEqual(statuses.map(() => 200));
  const after = await scraped();
  const moved = (name: string, labels = {}) => sum(after, name, labels) - sum(before, name, labels);
  const wraps = statuses.length;
  expect({
    requests: moved('keystead_request_duration_seconds_count', { act: 'kms.secrets.wrap', outcome: 'success' }),
    calls: moved('keystead_unit_call_duration_seconds_count', wrapped),
    lines: moved('keystead_audit_lines_total', { commit: 'group' }),
    durable: moved('keystead_audit_durable_seconds_count'),
    batches: moved('keystead_audit_batch_lines_sum'),
  }).toEqual({ requests: wraps, calls: wraps, lines: wraps, durable: wraps, batches: wraps });
  // What the server does of its own accord (probes, import pairs) may happen for the first time now.
  const ofRequests = ({ labels: { operation = 'encrypt' } }: Series) => operation === 'encrypt';
  const sets = (series: readonly Series[]) =>
    new Set(series.filter(ofRequests).map(({ name, labels }) => `${name} ${JSON.stringify(labels)}`));
  const gained = [...sets(after)].filter((one) => !sets(before).has(one));
  expect(gained.filter((one) => !one.startsWith('keystead_nodejs_'))).toEqual([]);
}, 60_000);

it('have the labels of their table, and in them no id but those of instances and units', async () => {
  const known = new Set([world.instance, ...(await world.units()).map(({ id }) => id)]);
  for (const { name, labels, value } of await scraped()) {
    const metric = METRICS.find((one) => new RegExp(`^${one.name}(_bucket|_sum|_count)?$`).test(name));
    if (metric === undefined) {
      expect(name).toMatch(/^keystead_(process|nodejs)_/);
      continue;
    }
    const own = Object.keys(labels).filter((label) => label !== 'le');
    expect([name, own.sort()]).toEqual([name, [...metric.labels].sort()]);
    const ids = Object.values(labels).filter((text) => /[0-9a-f]{8}-/.test(text));
    expect([name, value, ids.filter((id) => !known.has(id))]).toEqual([name, value, []]);
  }
});

it('show an agent that hangs by its calls, its breaker and its restart, and when it serves again', async () => {
  const key = await createKey();
  const [{ id: unit } = { id: '' }] = await world.units();
  const of = async (name: string, labels: Readonly<Record<string, string>>) =>
    sum(await scraped(), name, { unit, ...labels });
  const restarts = await of('keystead_unit_agent_restarts_total', {});
  const together = () => Promise.all(Array.from({ length: 48 }, () => wrap(key))); // up to 16 that come together go to one unit
  await together(); // the next ones find their connections open, and do come together
  process.kill(world.agentPid(unit), 'SIGSTOP');
  const wraps = together();
  await until(async () => (await of('keystead_unit_calls_in_flight', {})) > 0, 20_000);
  await until(async () => (await of('keystead_unit_breaker_state', { state: 'closed' })) === 0, 60_000);
  expect(await wraps).toEqual(Array.from({ length: 48 }, () => 200));
  expect(await of('keystead_unit_calls_abandoned_total', {})).toBeGreaterThan(0);
  expect(await of('keystead_unit_call_duration_seconds_count', { outcome: 'silent' })).toBeGreaterThan(0);
  await until(async () => (await of('keystead_unit_agent_restarts_total', {})) > restarts, 60_000);
  await until(async () => {
    await wrap(key);
    return (
      (await of('keystead_unit_serving', {})) === 1 &&
      (await of('keystead_unit_breaker_state', { state: 'closed' })) === 1
    );
  }, 60_000);
}, 120_000);

it('are there under every name that the example of alerts has', () => {
  const alerts = readFileSync(join(ROOT, 'deploy', 'prometheus-alerts.yml'), 'utf8');
  const named = [...alerts.matchAll(/keystead_\w+/g)].map(([name]) => name.replace(/_(bucket|sum|count)$/, ''));
  const own = named.filter((name) => !/^keystead_(process|nodejs)_/.test(name));
  expect(own.filter((name) => !METRICS.some((metric) => metric.name === name))).toEqual([]);
  expect(new Set(own).size).toBeGreaterThan(8);
});

import { instanceHeader } from './units.js';
import { until, World } from './world.js';

/** Metrics, and the policy of an instance that lets its use be measured. */
let world: World;
beforeAll(async () => {
  world = await World.withInstance(2);
}, 120_000);
afterAll(() => world?.end());

const metrics = async (): Promise<string> => (await world.api('GET', '/metrics')).text;
const counted = (text: string, act: string): number =>
  Number(
    new RegExp(
      `^keystead_request_duration_seconds_count\\{act="${act}",instance="${world.instance}",outcome="success"\\} (\\d+)$`,
      'm',
    ).exec(text)?.[1] ?? 0,
  );
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

it('want a key, and are what Prometheus reads', async () => {
  expect((await world.api('GET', '/metrics', undefined, { authorization: '' })).status).toBe(401);
  const answer = await world.api('GET', '/metrics');
  expect([answer.status, answer.headers.get('content-type')]).toEqual([
    200,
    expect.stringMatching(/^text\/plain; version=0\.0\.4/),
  ]);
  expect(answer.text).toMatch(/^keystead_process_resident_memory_bytes \d+$/m);
  const units = await world.units();
  for (const { id } of units) {
    expect(answer.text).toContain(`keystead_unit_serving{instance="${world.instance}",unit="${id}"} 0`);
  }
});

it('count the requests about an instance from when its policy says so', async () => {
  await list();
  expect(counted(await metrics(), 'crypto-unit.read')).toBe(0);
  await world.initialise();
  await enableMetrics();
  await until(async () => {
    await list();
    return counted(await metrics(), 'crypto-unit.read') > 0;
  }, 2_000);
  const before = counted(await metrics(), 'crypto-unit.read');
  await list();
  await list();
  const text = await metrics();
  expect(counted(text, 'crypto-unit.read')).toBe(before + 2);
  expect(text).toContain(
    `keystead_unit_serving{instance="${world.instance}",unit="${(await world.units())[0]?.id}"} 1`,
  );
}, 120_000);

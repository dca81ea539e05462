import { randomBytes } from 'node:crypto';
import { isSeenIn, look } from './canary/found.js';
import { Journey } from './canary/journey.js';
import { Scanner } from './canary/scanner.js';

/** Secrets are where they belong and nowhere else: what an owner and his clients did, mistakes included, leaves none behind. */
let journey: Journey;
beforeAll(async () => {
  journey = await Journey.begin();
}, 300_000);
afterAll(() => journey?.end());

it('a secret is found in every form, wherever in other bytes it stands', () => {
  const bytes = randomBytes(32);
  const scanner = new Scanner([{ name: 'it', bytes }]);
  const hex = bytes.toString('hex');
  const forms = [bytes, hex, hex.toUpperCase(), bytes.toString('base64'), bytes.toString('base64url')];
  for (const form of forms) {
    const around = Buffer.concat([randomBytes(1001), Buffer.from(form as string), randomBytes(77)]);
    expect(scanner.in(around).length).toBeGreaterThan(0);
  }
  for (const before of ['', 'a', 'ab']) {
    const inside = Buffer.concat([Buffer.from(before), bytes, randomBytes(5)]).toString('base64');
    expect(scanner.in(Buffer.from(inside)).length).toBeGreaterThan(0);
  }
  expect(scanner.in(randomBytes(1 << 20))).toEqual([]);
});

it('after a journey with all its mistakes, no secret is in logs, files, environments or the memory of the server', async () => {
  await journey.initialised();
  await journey.credentials();
  await journey.keyProtect();
  await journey.alibaba();
  await journey.huawei();
  await journey.mistakes();
  await journey.records();
  expect(journey.hidden.length + journey.clients.length).toBeGreaterThanOrEqual(40);
  const { scanned, ...found } = await look(journey);
  expect(found).toEqual({ logs: [], files: [], starts: [], memory: [] });
  expect(isSeenIn(journey.world.serverPid, journey.world.dataDir)).toBe(true);
  for (const bytes of Object.values(scanned)) expect(bytes).toBeGreaterThan(1_000);
}, 300_000);

it('the access log has a line for each request, by its route, and every line of an agent names its unit', async () => {
  const lines = journey.world.log.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []));
  const requests = lines.filter(({ event }) => event === 'request');
  const routes = new Set(requests.map(({ request }) => request));
  expect([...routes]).toEqual(
    expect.arrayContaining([
      'POST /api/v2/keys/:id/actions/wrap',
      'POST /?Action=Encrypt',
      'POST /v1.0/:project/kms/encrypt-data',
      'GET /startupz',
    ]),
  );
  expect(requests.filter(({ correlationId, status, ms }) => !correlationId || !status || !(ms > 0))).toEqual([]);
  const wraps = requests.filter(({ request, status }) => request.endsWith('/actions/wrap') && status === 200);
  expect(wraps.filter(({ caller, instance }) => !caller || instance !== journey.world.instance)).toEqual([]);
  const agents = lines.filter(({ event }) =>
    ['token-open', 'login-begin', 'ready', 'claimed', 'command'].includes(event),
  );
  expect(agents.filter(({ unit }) => typeof unit !== 'string')).toEqual([]);
  expect(agents.length).toBeGreaterThan(10);
});

import { createKey, opens, wrap } from '../units.js';
import { World } from '../world.js';

/** Requests that each cost a unit seconds, all at once. */
const FLOOD = 200;
/** How many may wait for a pair. */
const MOST_WAITING = 8;

let world: World;
let key: string;
beforeAll(async () => {
  world = await World.withInstance(2);
  await world.initialise();
  key = await createKey(world, 'root');
}, 180_000);
afterAll(() => world?.end());

const inInstance = () => ({ 'bluemix-instance': world.instance });
const createToken = () => world.api('POST', '/api/v2/import_token', { expiration: 300 }, inInstance());

it('a flood of import tokens is refused with 429 and Retry-After, but for a few, and keys are used meanwhile', async () => {
  let over = false;
  const flood = Promise.all(Array.from({ length: FLOOD }, createToken)).finally(() => {
    over = true;
  });
  let used = 0;
  const took: number[] = [];
  do {
    const began = performance.now();
    const body = { plaintext: Buffer.alloc(32).toString('base64') };
    const { status } = await world.api('POST', `/api/v2/keys/${key}/actions/wrap`, body, inInstance());
    took.push(performance.now() - began);
    expect(status).toBe(200);
    used += 1;
  } while (!over);
  const answers = await flood;
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThanOrEqual(FLOOD - 3 * MOST_WAITING); // some come when others are served already
  for (const { headers, text } of refused) {
    expect(headers.get('retry-after')).toBe('2');
    expect(text).toMatch(/import pairs, which take a unit seconds each; try again/);
  }
  const served = answers.filter(({ status }) => status === 200);
  expect(served.length).toBeGreaterThanOrEqual(MOST_WAITING);
  expect(served.length + refused.length).toBe(FLOOD);
  expect(used).toBeGreaterThan(10);
  took.sort((a, b) => a - b);
  expect(took[Math.floor(took.length / 2)]).toBeLessThan(1_000);
  expect(await opens(world, key, await wrap(world, key))).toBe(true);
  const [p50, p99] = [0.5, 0.99].map((part) => Math.round(took[Math.floor(took.length * part)] ?? 0));
  process.stdout.write(
    `${FLOOD} asked, ${served.length} served, ${refused.length} refused; ${used} wraps, p50 ${p50} ms, p99 ${p99} ms\n`,
  );
}, 300_000);

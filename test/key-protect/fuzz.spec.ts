import { Agent, type IncomingMessage, request } from 'node:http';
import { ROLES } from '../../src/shared/permissions.js';
import { violationsOf } from './described.js';
import { Dice, type Drawn, drawn } from './drawn-requests.js';
import { KeyProtectWorld } from './key-protect-world.js';

/** How many requests of each role; CI asks for 10 000. */
const REQUESTS = Number(process.env['KEYSTEAD_FUZZ_REQUESTS'] ?? 400);
const SEED = Number(process.env['KEYSTEAD_FUZZ_SEED'] ?? Date.now() % 1_000_000);
const CALLERS = [...ROLES, 'nobody'] as const;
const AT_ONCE = 16;
/** So many keys are drawn on; older ones are left alone. */
const KEYS = 40;

let w: KeyProtectWorld;
const keys: string[] = [];
const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
beforeAll(async () => {
  w = await KeyProtectWorld.start({
    KEYSTEAD_LIMIT_KEYS: '0',
    KEYSTEAD_LIMIT_KEY_RINGS: '0',
    KEYSTEAD_LIMIT_FAILED_ATTEMPTS: '0',
    KEYSTEAD_IMPORT_PAIR_POOL: '1',
    KEYSTEAD_TIMER_PURGE_MS: '1',
    KEYSTEAD_TIMER_ENABLE_MS: '1',
    KEYSTEAD_TIMER_RESTORE_MS: '1',
    KEYSTEAD_TIMER_ROTATE_MS: '1',
    KEYSTEAD_TIMER_SYNC_MS: '1',
  });
  for (const extractable of [false, true, false]) keys.push((await w.create({ extractable })).id);
}, 180_000);
afterAll(async () => {
  agent.destroy();
  await w?.end();
}, 30_000);

describe(`whatever is sent (seed ${SEED})`, () => {
  it.each(CALLERS)(
    'is answered below 500 and as described, for a %s',
    async (caller) => {
      const authorization = caller === 'nobody' ? '' : `Bearer ${await w.apiKeyWith(caller)}`;
      const first = SEED + CALLERS.indexOf(caller) * 1_000_003;
      const faults: string[] = [];
      let sent = 0;
      const client = async () => {
        for (let n = sent++; n < REQUESTS; n = sent++) {
          const asked = drawn(new Dice(first + n), keys);
          const { status, text } = await send(asked, authorization);
          const { operation, path, body } = asked;
          const exchange = { method: operation.method, path, status, text };
          const broken = status >= 500 ? [`${operation.method} ${path} → ${status} ${text}`] : violationsOf(exchange);
          faults.push(...broken.map((fault) => `request ${n}, ${body ?? 'no body'}: ${fault}`));
          if (status === 201 && operation.id.startsWith('createKey') && text !== '') keep(text);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, client));
      expect(faults).toEqual([]);
      expect(sent).toBeGreaterThanOrEqual(REQUESTS);
    },
    3_600_000,
  );
});

function keep(text: string): void {
  const { id } = JSON.parse(text).resources?.[0] ?? {};
  if (typeof id === 'string') keys.push(id);
  if (keys.length > KEYS) keys.shift();
}

/** Over connections that are kept: a connection for each request costs more than its answer. */
function send({ operation: { method }, path, body, headers }: Drawn, authorization: string) {
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const { hostname, port } = new URL(w.world.url);
    const own = {
      authorization,
      'bluemix-instance': w.instance,
      ...(body && { 'content-length': Buffer.byteLength(body) }),
    };
    const asked = request({ agent, hostname, port, method, path, headers: { ...headers, ...own } });
    asked.on('error', reject);
    asked.on('response', async (answer: IncomingMessage) => {
      const chunks = await answer.toArray();
      resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() });
    });
    asked.end(body);
  });
}

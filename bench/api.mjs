/** What clients get: the floor, then the API under the same load, with its answers and its audit log checked. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { dialectActs } from './dialects.mjs';
import { Load, requestOf } from './load.mjs';

/** Enough that the disk's fsync, which all in a group wait for together, is not what is measured. */
export const IN_FLIGHT = 128;
const DATA_KEY = Buffer.alloc(32, 0x5a).toString('base64');
const KEY_TYPE = 'application/vnd.ibm.kms.key+json';

/** Rows of the table: { name, perSecond, p50, p99, p999, … } by name; `floor` and `wrap` among them. */
export async function measureApi(world, seconds) {
  const root = await makeKey(world, 'bench');
  const path = (act) => `/api/v2/keys/${root}/actions/${act}`;
  const wrapped = await world.ask('POST', path('wrap'), { plaintext: DATA_KEY });
  const wrapRequest = { path: path('wrap'), headers: world.headers, body: { plaintext: DATA_KEY } };
  const load = new Load(world.url);
  const results = {};

  results.floor = await withFloor(wrapped, (url) =>
    new Load(url).peak(always(requestOf(wrapRequest), expectWrapped), IN_FLIGHT, seconds),
  );
  const acts = {
    wrap: always(requestOf(wrapRequest), expectWrapped),
    unwrap: always(request(world, path('unwrap'), { ciphertext: wrapped.ciphertext }), expectPlaintext),
    rewrap: always(request(world, path('rewrap'), { ciphertext: wrapped.ciphertext }), expectWrapped),
    'create key': always(request(world, '/api/v2/keys', newKey('made by the bench')), expectStatus(201)),
    'list keys': always(
      requestOf({ method: 'GET', path: '/api/v2/keys?limit=50', headers: world.headers }),
      expectStatus(200),
    ),
  };
  Object.assign(acts, await dialectActs(world));
  for (const [name, next] of Object.entries(acts)) {
    const before = await auditLines(world);
    await world.loop();
    const result = await load.peak(counted(next, results, name), IN_FLIGHT, seconds);
    const loop = await world.loop();
    const audited = (await auditLines(world)) - before;
    const sent = results[name].sent;
    if (name !== 'list keys' && audited < sent) throw new Error(`${name}: ${sent} answers and ${audited} audit lines`);
    results[name] = { ...result, loopMax: loop.max, loopP99: loop.p99, audited };
  }
  const half = Math.floor(results.wrap.perSecond / 2);
  await world.loop();
  const atHalf = await load.rate(acts.wrap, half, 3 * seconds); // some major garbage collections long
  const loop = await world.loop();
  results['wrap at half of peak'] = { ...atHalf, loopMax: loop.max, loopP99: loop.p99 };
  return results;
}

/** A load of wraps for so long, at a pace that leaves room. */
export async function sustainWraps(world, seconds) {
  const root = await makeKey(world, 'sustained');
  const bytes = request(world, `/api/v2/keys/${root}/actions/wrap`, { plaintext: DATA_KEY });
  return new Load(world.url).peak(always(bytes, expectWrapped), 16, seconds);
}

/** Works with a server that gives this answer to every wrap: its URL and pid. */
export async function withFloor(answer, work) {
  const program = fileURLToPath(new URL('floor.mjs', import.meta.url));
  const child = spawn(process.execPath, [program, JSON.stringify(answer)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [url] = await once(child.stdout, 'data');
  try {
    return await work(String(url).trim(), child.pid);
  } finally {
    child.stdin.end();
    await once(child, 'exit');
  }
}

/** Counts what was answered, the warm-up included: each has its audit line. */
function counted(next, results, name) {
  results[name] = { sent: 0 };
  return () => {
    const { bytes, check } = next();
    return {
      bytes,
      check: (answer) => {
        check(answer);
        results[name].sent += 1;
      },
    };
  };
}

function request(world, path, body) {
  return requestOf({ path, headers: world.headers, body });
}

export function always(bytes, check) {
  const one = { bytes, check };
  return () => one;
}

const expectStatus = (wanted) => (answer) => {
  if (answer.status !== wanted) throw new Error(`${answer.status} ${answer.body.toString('utf8')}`);
};
const expectWrapped = (answer) => {
  expectStatus(200)(answer);
  if (!answer.body.includes('"ciphertext":"')) throw new Error(`no ciphertext in ${answer.body.toString('utf8')}`);
};
const expectPlaintext = (answer) => {
  expectStatus(200)(answer);
  if (!answer.body.includes(DATA_KEY)) throw new Error('unwrap answered with another data key');
};

export function newKey(name) {
  return {
    metadata: { collectionType: KEY_TYPE, collectionTotal: 1 },
    resources: [{ type: KEY_TYPE, name, extractable: false }],
  };
}

export async function makeKey(world, name) {
  return (await world.ask('POST', '/api/v2/keys', newKey(name))).resources[0].id;
}

async function auditLines(world) {
  return (await world.ask('GET', '/api/v1/audit?limit=1')).lines[0].seq;
}

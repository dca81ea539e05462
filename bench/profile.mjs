/**
 * Where the time of a request goes: microseconds of CPU per request, by process and by file. CPU time hardly depends on what
 * else the machine does. Run `npm run build` first.
 *   node bench/profile.mjs [wrap|unwrap|create|list|alibaba|huawei] [--seconds N] [--rate N] [--keep DIR]
 * With a rate the requests come at an even pace; without, 64 are always in flight. The .cpuprofile file goes into DIR.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Load, requestOf } from './load.mjs';
import { shown, table } from './numbers.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '6' }, rate: { type: 'string' }, keep: { type: 'string' } },
});
const [act = 'wrap'] = positionals;
const { keep } = values;
const seconds = Number(values.seconds);
const IN_FLIGHT = 64;
const TICK_US = 10_000; // of /proc/PID/stat, on every Linux that runs here
const SHOWN = 25;
/** Where in a file its modules begin. */
const parts = new Map();
const WRITING_MS = 60_000;
const place = keep ?? mkdtempSync(join(tmpdir(), 'keystead-profile-'));
mkdirSync(place, { recursive: true });
process.env.NODE_OPTIONS = `--import ${fileURLToPath(new URL('profiler.mjs', import.meta.url))}`;
process.env.BENCH_PROFILE_DIR = place;

const { BenchWorld } = await import('./world.mjs');
const { always, makeKey, newKey, withFloor } = await import('./api.mjs');
const { dialectActs } = await import('./dialects.mjs');
const { untilPoolIsFull } = await import('./life-cycle.mjs');
const { world } = await BenchWorld.start();
try {
  await untilPoolIsFull(world); // else the agents make RSA pairs all the while
  const { request, answered, answer } = await requestFor(act);
  const load = new Load(world.url);
  const floor = await withFloor(answer, (url, pid) => {
    const floorLoad = new Load(url);
    return measured({ server: () => [pid] }, () => run(floorLoad, answered));
  });
  await load.peak(request, IN_FLIGHT, 4); // until the code is compiled
  const processes = {
    'API process': () => [world.serverPid],
    'three agents': () => world.agentPids(),
    PostgreSQL: () => world.postgresPids(),
  };
  const plain = await measured(processes, () => run(load, request));
  const rate = ({ perSecond, p50, p99 }) => `${shown(perSecond)}/s, p50 ${shown(p50)} ms, p99 ${shown(p99)} ms`;
  console.log(`floor: ${rate(floor)}\n${act}: ${rate(plain)}\n`);
  const rows = (of) => Object.entries(of.cpu).map(([name, us]) => [name, us.toFixed(1)]);
  console.log(`${table(['floor: µs of CPU per request', ''], rows(floor))}\n`);
  console.log(`${table([`${act}: µs of CPU per request`, ''], rows(plain))}\n`);
  console.log(`the API process spends ${shown(plain.cpu['API process'] / floor.cpu.server)} × what the floor does\n`);

  process.kill(world.serverPid, 'SIGWINCH');
  await after(300);
  const profiled = await run(load, request);
  process.kill(world.serverPid, 'SIGWINCH');
  show(await profileOf(world.serverPid), sentIn(profiled));
} finally {
  await world.end();
  if (keep === undefined) rmSync(place, { recursive: true, force: true });
}

function run(load, request) {
  return values.rate === undefined
    ? load.peak(request, IN_FLIGHT, seconds)
    : load.rate(request, Number(values.rate), seconds);
}

/** With those of the warm-up, which a load at an even pace has not. */
function sentIn({ requests }) {
  return values.rate === undefined ? requests * (1 + 1 / seconds) : requests;
}

async function profileOf(pid) {
  const file = join(place, `${pid}.cpuprofile`);
  for (let waited = 0; waited < WRITING_MS && !existsSync(file); waited += 100) await after(100);
  return JSON.parse(readFileSync(file, 'utf8'));
}

/** The request, the same for the floor, and what the floor answers: what a wrap answers, or an unwrap. */
async function requestFor(name) {
  const path = `/api/v2/keys/${await makeKey(world, 'profile')}/actions/`;
  const plaintext = Buffer.alloc(32, 7).toString('base64');
  const { ciphertext } = await world.ask('POST', `${path}wrap`, { plaintext });
  const body = name === 'unwrap' ? { ciphertext } : { plaintext };
  const use = (what) => ({ path: path + what, headers: world.headers, body });
  const ask = (request) =>
    always(requestOf(request), ({ status }) => {
      if (status >= 300) throw new Error(String(status));
    });
  const others = await dialectActs(world);
  const acts = {
    wrap: () => ask(use('wrap')),
    unwrap: () => ask(use('unwrap')),
    create: () => ask({ path: '/api/v2/keys', headers: world.headers, body: newKey('made by the profile') }),
    list: () => ask({ method: 'GET', path: '/api/v2/keys?limit=50', headers: world.headers }),
    alibaba: () => others['Alibaba Encrypt'],
    huawei: () => others['Huawei create-datakey'],
  };
  if (name === 'list') for (let n = 0; n < 50; n += 1) await makeKey(world, `listed ${n}`);
  const floors = name === 'unwrap' ? 'unwrap' : 'wrap';
  return {
    request: acts[name](),
    answered: ask(use(floors)),
    answer: await world.ask('POST', path + floors, floors === 'unwrap' ? { ciphertext } : { plaintext }),
  };
}

/** What the work gives, and the CPU that each process spent on a request of it. */
async function measured(processes, work) {
  const spent = () => Object.entries(processes).map(([name, pids]) => [name, cpuOf(pids())]);
  const before = spent();
  const own = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(own);
  const cpu = spent().map(([name, us], i) => [name, (us - before[i][1]) / sentIn(result)]);
  return { ...result, cpu: Object.fromEntries([...cpu, ['load generator', (user + system) / sentIn(result)]]) };
}

/** Microseconds so far. */
function cpuOf(pids) {
  const us = (pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_US;
  };
  return pids.reduce((all, pid) => all + us(pid), 0);
}

/** Time at the top of the stack, by file and by function. */
function show({ nodes, samples, timeDeltas }, requests) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const files = new Map();
  const functions = new Map();
  samples.forEach((id, i) => {
    const { functionName, url, lineNumber } = byId.get(id).callFrame;
    const file = fileOf(url, lineNumber) || functionName || '(node)';
    if (file === '(idle)') return;
    files.set(file, (files.get(file) ?? 0) + timeDeltas[i]);
    const name = `${functionName || '(anonymous)'} ${url && fileOf(url, lineNumber)}`;
    functions.set(name, (functions.get(name) ?? 0) + timeDeltas[i]);
  });
  const rows = (sums) =>
    [...sums]
      .sort((a, b) => b[1] - a[1])
      .slice(0, SHOWN)
      .map(([name, us]) => [name, (us / requests).toFixed(2)]);
  console.log(`${table(['the API process: µs per request by file', ''], rows(files))}\n`);
  console.log(`${table(['the API process: µs per request by function', ''], rows(functions))}\n`);
}

/** The module, also where it is one of those in a bundle: there a comment with its name stands before each. */
function fileOf(url, lineNumber) {
  const name = url.replace(/^file:\/\//, '');
  if (!parts.has(name)) parts.set(name, /\/dist\//.test(name) ? modulesIn(readFileSync(name, 'utf8')) : []);
  const module = parts.get(name).findLast(([line]) => line <= lineNumber)?.[1] ?? name;
  return module.replace(/^.*node_modules\//, '').replace(/^.*\/dist\//, 'dist/');
}

function modulesIn(text) {
  return text.split('\n').flatMap((line, at) => {
    const module = /^\/\/ ((?:dist|node_modules)\/\S+)$/.exec(line)?.[1];
    return module === undefined ? [] : [[at, module]];
  });
}

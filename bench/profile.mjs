/**
 * Where the time of a request goes: microseconds of CPU per request, by process and by file. CPU time hardly depends on what
 * else the machine does. Run `npm run build` first.
 *   node bench/profile.mjs [wrap|unwrap] [seconds] [directory for the .cpuprofile files]
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Load, requestOf } from './load.mjs';
import { shown, table } from './numbers.mjs';

const [act = 'wrap', seconds = '6', keep] = process.argv.slice(2);
const IN_FLIGHT = 64;
const TICK_US = 10_000; // of /proc/PID/stat, on every Linux that runs here
const SHOWN = 25;
const place = keep ?? mkdtempSync(join(tmpdir(), 'keystead-profile-'));
mkdirSync(place, { recursive: true });
process.env.NODE_OPTIONS = `--import ${fileURLToPath(new URL('profiler.mjs', import.meta.url))}`;
process.env.BENCH_PROFILE_DIR = place;

const { BenchWorld } = await import('./world.mjs');
const { makeKey, withFloor } = await import('./api.mjs');
const { untilPoolIsFull } = await import('./life-cycle.mjs');
const { world } = await BenchWorld.start();
try {
  await untilPoolIsFull(world); // else the agents make RSA pairs all the while
  const { request, answer } = await requestFor(act);
  const load = new Load(world.url);
  const floor = await withFloor(answer, (url, pid) => {
    const floorLoad = new Load(url);
    return measured({ server: () => [pid] }, () => floorLoad.peak(request, IN_FLIGHT, Number(seconds)));
  });
  await load.peak(request, IN_FLIGHT, 4); // until the code is compiled
  const processes = {
    'API process': () => [world.serverPid],
    'three agents': () => world.agentPids(),
    PostgreSQL: () => world.postgresPids(),
  };
  const plain = await measured(processes, () => load.peak(request, IN_FLIGHT, Number(seconds)));
  const rate = ({ perSecond, p50, p99 }) => `${shown(perSecond)}/s, p50 ${shown(p50)} ms, p99 ${shown(p99)} ms`;
  console.log(`floor: ${rate(floor)}\n${act}: ${rate(plain)}\n`);
  const rows = (of) => Object.entries(of.cpu).map(([name, us]) => [name, us.toFixed(1)]);
  console.log(`${table(['floor: µs of CPU per request', ''], rows(floor))}\n`);
  console.log(`${table([`${act}: µs of CPU per request`, ''], rows(plain))}\n`);
  console.log(`the API process spends ${shown(plain.cpu['API process'] / floor.cpu.server)} × what the floor does\n`);

  const watched = [world.serverPid, world.agentPids()[0]];
  for (const pid of watched) process.kill(pid, 'SIGWINCH');
  await after(300);
  const profiled = await load.peak(request, IN_FLIGHT, Number(seconds));
  for (const pid of watched) process.kill(pid, 'SIGWINCH');
  await after(2_000);
  const [server, agent] = watched.map((pid) => JSON.parse(readFileSync(join(place, `${pid}.cpuprofile`), 'utf8')));
  const total = profiled.requests * (1 + 1 / Number(seconds)); // the warm-up is in the profile too
  show('the server', server, total);
  show('an agent', agent, total / 3);
} finally {
  await world.end();
  if (keep === undefined) rmSync(place, { recursive: true, force: true });
}

async function requestFor(name) {
  const path = `/api/v2/keys/${await makeKey(world, 'profile')}/actions/`;
  const plaintext = Buffer.alloc(32, 7).toString('base64');
  const { ciphertext } = await world.ask('POST', `${path}wrap`, { plaintext });
  const body = name === 'wrap' ? { plaintext } : { ciphertext };
  const bytes = requestOf({ path: path + name, headers: world.headers, body });
  const one = {
    bytes,
    check: ({ status }) => {
      if (status !== 200) throw new Error(String(status));
    },
  };
  return { request: () => one, answer: await world.ask('POST', path + name, body) };
}

/** What the work gives, and the CPU that each process spent on a request of it. */
async function measured(processes, work) {
  const spent = () => Object.entries(processes).map(([name, pids]) => [name, cpuOf(pids())]);
  const before = spent();
  const own = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(own);
  const requests = result.requests * (1 + 1 / Number(seconds)); // with those of the warm-up
  const cpu = spent().map(([name, us], i) => [name, (us - before[i][1]) / requests]);
  return { ...result, cpu: Object.fromEntries([...cpu, ['load generator', (user + system) / requests]]) };
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
function show(what, { nodes, samples, timeDeltas }, requests) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const files = new Map();
  const functions = new Map();
  samples.forEach((id, i) => {
    const { functionName, url, lineNumber } = byId.get(id).callFrame;
    const file = fileOf(url) || functionName || '(node)';
    if (file === '(idle)') return;
    files.set(file, (files.get(file) ?? 0) + timeDeltas[i]);
    const name = `${functionName || '(anonymous)'} ${url && `${fileOf(url)}:${lineNumber + 1}`}`;
    functions.set(name, (functions.get(name) ?? 0) + timeDeltas[i]);
  });
  const rows = (sums) =>
    [...sums]
      .sort((a, b) => b[1] - a[1])
      .slice(0, SHOWN)
      .map(([name, us]) => [name, (us / requests).toFixed(2)]);
  console.log(`${table([`${what}: µs per request by file`, ''], rows(files))}\n`);
  console.log(`${table([`${what}: µs per request by function`, ''], rows(functions))}\n`);
}

function fileOf(url) {
  return url
    .replace(/^file:\/\//, '')
    .replace(/^.*\/node_modules\//, '')
    .replace(/^.*\/dist\//, 'dist/');
}

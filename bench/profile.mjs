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
const { makeKey } = await import('./api.mjs');
const { untilPoolIsFull } = await import('./life-cycle.mjs');
const { world } = await BenchWorld.start();
try {
  await untilPoolIsFull(world); // else the agents make RSA pairs all the while
  const request = await requestFor(act);
  const load = new Load(world.url);
  await load.peak(request, IN_FLIGHT, 4); // until the code is compiled
  const plain = await measured(() => load.peak(request, IN_FLIGHT, Number(seconds)));
  console.log(`${act}: ${shown(plain.perSecond)}/s, p50 ${shown(plain.p50)} ms, p99 ${shown(plain.p99)} ms\n`);
  const rows = Object.entries(plain.cpu).map(([name, us]) => [name, shown(us / plain.requests)]);
  console.log(`${table(['µs of CPU per request', ''], rows)}\n`);

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
  return () => one;
}

/** What the work gives, and the CPU that each process spent on it, the warm-up taken off. */
async function measured(work) {
  const before = spent();
  const result = await work();
  const share = Number(seconds) / (Number(seconds) + 1);
  const cpu = Object.fromEntries(Object.entries(spent()).map(([name, us]) => [name, (us - before[name]) * share]));
  return { ...result, cpu };
}

function spent() {
  const us = (pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_US;
  };
  const sum = (pids) => pids.reduce((all, pid) => all + us(pid), 0);
  const { user, system } = process.cpuUsage();
  return {
    'API process': us(world.serverPid),
    'three agents': sum(world.agentPids()),
    PostgreSQL: sum(world.postgresPids()),
    'load generator': user + system,
  };
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

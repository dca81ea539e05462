import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as after } from 'node:timers/promises';
import { Balancer, HAPROXY_FILE, haproxyVersion } from '../replicas/balancer.js';
import { Replicas } from '../replicas/replicas.js';
import { createKey, instanceHeader } from '../units.js';
import type { World } from '../world.js';
import { Clients, requestOf } from './generator.js';
import { DATA_KEY, is2xx } from './load-world.js';
import type { Row } from './report.js';

const LONGEST_EXIT_MS = 10_000;
const PARKED = 50;
const SETTLE_MS = 3_000;

/** Two servers behind HAProxy, stopped with SIGTERM and started again one after the other, with idle connections to each. */
export async function rollingRestart(rate: number): Promise<{ row: Row; wrong: string[] }> {
  const item = 'A-19';
  const name = 'rolling restart behind HAProxy';
  if (haproxyVersion === undefined) throw new Error('this needs HAProxy: apt-get install haproxy');
  const replicas = await Replicas.initialised({ KEYSTEAD_DRAIN_MS: '2000' });
  const balancer = await Balancer.start(replicas.dir, replicas.both, readFileSync(HAPROXY_FILE, 'utf8'));
  try {
    const [first] = replicas.both;
    if (first === undefined) throw new Error('there is no server');
    const key = await createKey(first, 'root');
    const headers = { authorization: `Bearer ${first.apiKey}`, ...instanceHeader(first) };
    const bytes = requestOf('POST', `/api/v2/keys/${key}/actions/wrap`, headers, { plaintext: DATA_KEY });
    const clients = new Clients(balancer.url, () => ({ bytes, verdict: is2xx }), rate);
    const exits: number[] = [];
    for (const world of replicas.both) {
      await after(SETTLE_MS);
      exits.push(await stopWithParked(world));
      await world.launch();
      await replicas.ready();
      await balancer.sendsToAll();
    }
    await after(SETTLE_MS);
    const tally = await clients.stop();
    const wrong =
      tally.failures.length > 0 ? [`${tally.failures.length} failed: ${tally.kinds().slice(0, 3).join(', ')}`] : [];
    const slowest = Math.max(...exits);
    if (slowest > LONGEST_EXIT_MS) wrong.push(`a server took ${slowest} ms to end`);
    const notes = [`servers ended ${exits.join(' and ')} ms after SIGTERM, with ${PARKED} idle connections each`];
    return { row: { item, name, tally, faults: exits.length, recoveries: [], missed: wrong, notes }, wrong };
  } finally {
    await balancer.end();
    await replicas.end();
  }
}

async function stopWithParked(world: World): Promise<number> {
  const { hostname, port } = new URL(world.url);
  const sockets = Array.from({ length: PARKED }, () => {
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    socket.write('GET /livez HTTP/1.1\r\nHost: parked\r\n\r\n');
    return socket;
  });
  await after(500);
  const told = Date.now();
  await world.stopServer();
  for (const socket of sockets) socket.destroy();
  return Date.now() - told;
}

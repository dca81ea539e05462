import { readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as after } from 'node:timers/promises';
import { until } from '../until.js';
import type { LoadWorld } from './load-world.js';
import type { Dose, Seen } from './scenario.js';

const BODY_LIMIT = 1 << 20;
const DRIP_MS = 1_000;
/** So many connections are opened at once, and then as many again after a pause. */
const OPENED_AT_ONCE = 100;
const PAUSE_MS = 100;
/** Idle connections for each slow one, where the test itself may open so many files. */
const IDLE = 20;
const MOST_OPEN = openLimit() - 1_000;
const WAIT_MS = 20_000;
/** Connections of the load itself, which come and go. */
const SOME_FILES = 100;

/** How slow clients hold on to a connection: their first words, and what they then send, piece by piece. */
const SLOW_CLIENTS = [
  { begin: 'POST /api/v2/keys HTTP/1.1\r\nHost: slow\r\n', drip: 'X-Slow: 1\r\n' },
  { begin: 'POST /api/v2/keys HTTP/1.1\r\nHost: slow\r\nContent-Length: 100000\r\n\r\n', drip: 'x' },
  { begin: 'GET /docs/openapi.json HTTP/1.1\r\nHost: slow\r\n\r\n'.repeat(50), drip: '', reads: false },
] as const;

/** `times` slow connections of three kinds, and many more that are idle, while others wrap. */
export async function slowClients(load: LoadWorld, { rate, seconds, times }: Dose): Promise<Seen> {
  const sockets: Socket[] = [];
  const wrong: string[] = [];
  const before = openFiles(load);
  const clients = load.wrapping(rate);
  try {
    const slow: { socket: Socket; drip: string }[] = [];
    const all = Math.min(times * (1 + IDLE), MOST_OPEN);
    const apart = Math.floor(all / times);
    for (let n = 0; n < all; n += 1) {
      if (n % OPENED_AT_ONCE === 0) await after(PAUSE_MS);
      const socket = open(load);
      sockets.push(socket);
      if (n % apart !== 0) continue;
      const { begin, drip, ...how } = SLOW_CLIENTS[slow.length % SLOW_CLIENTS.length] as (typeof SLOW_CLIENTS)[number];
      if (!('reads' in how)) socket.resume(); // else it never hears that it was closed
      socket.write(begin);
      slow.push({ socket, drip });
    }
    const most = openFiles(load);
    for (const end = Date.now() + seconds * 1_000; Date.now() < end; await after(DRIP_MS)) {
      for (const { socket, drip } of slow) if (drip !== '' && socket.writable) socket.write(drip);
    }
    wrong.push(...(await tooMuch(load)));
    const closed = slow.filter(({ socket }) => socket.destroyed || socket.readableEnded).length;
    const tally = await clients.stop();
    const notes = [
      `${most} files open in the server, ${before} before; it closed ${closed} of ${times} slow connections by itself`,
    ];
    return { tally, faults: sockets.length, wrong, notes };
  } finally {
    for (const socket of sockets) socket.destroy();
    await until(
      async () => openFiles(load) <= before + SOME_FILES,
      WAIT_MS,
      () => `the server holds ${openFiles(load)} files open, ${before} before`,
    );
  }
}

/** A body over the limit is refused before it is sent, by its length, and in chunks as soon as it is over the limit. */
async function tooMuch(load: LoadWorld): Promise<string[]> {
  const head = Object.entries({ host: 'slow', ...load.headers })
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  const begin = `POST /api/v2/keys HTTP/1.1\r\n${head}`;
  const before = load.rss(load.world.serverPid);
  const byLength = await statusOf(load, (socket) =>
    socket.write(`${begin}content-length: ${BODY_LIMIT * 1_000}\r\n\r\n`),
  );
  const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
  const inChunks = await statusOf(load, (socket) => {
    socket.write(`${begin}transfer-encoding: chunked\r\n\r\n`);
    for (let sent = 0; sent <= BODY_LIMIT; sent += 0x10000) socket.write(chunk);
  });
  const grown = load.rss(load.world.serverPid) - before;
  const wrong = [byLength, inChunks]
    .filter((status) => status !== 413)
    .map((status) => `a body over the limit gets ${status}`);
  if (grown > 64 * BODY_LIMIT) wrong.push(`bodies over the limit cost ${grown} bytes of memory`);
  return wrong;
}

function statusOf(load: LoadWorld, send: (socket: Socket) => void): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = open(load);
    const timer = setTimeout(() => reject(new Error('no answer to a body over the limit')), WAIT_MS);
    socket.once('data', (piece: Buffer) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(Number(piece.toString('latin1', 9, 12)));
    });
    send(socket);
  });
}

function open(load: LoadWorld): Socket {
  const { hostname, port } = new URL(load.world.url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on('error', () => undefined); // the server may close it at any time
  return socket;
}

/** How many files this process may have open. */
function openLimit(): number {
  const limits = readFileSync('/proc/self/limits', 'latin1');
  return Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? 1_024);
}

const openFiles = (load: LoadWorld) => readdirSync(`/proc/${load.world.serverPid}/fd`).length;

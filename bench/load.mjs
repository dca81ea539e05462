/**
 * A load generator for one HTTP server: prepared requests over kept-alive connections, one in flight on each. It spends
 * as little as it can (no http module, no object for each request), since it shares the machine with what it measures.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { performance } from 'node:perf_hooks';
import { setTimeout as after } from 'node:timers/promises';
import { summary } from './numbers.mjs';

const WARM_UP_MS = 1_000;
const HEAD_END = Buffer.from('\r\n\r\n');

/** The bytes of a request. */
export function requestOf({ method = 'POST', path, headers = {}, body }) {
  const payload = body === undefined ? '' : JSON.stringify(body);
  const lines = Object.entries({ host: 'bench', 'content-length': Buffer.byteLength(payload), ...headers });
  return Buffer.from(
    `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${payload}`,
  );
}

/** One connection: `send` answers { status, body } of the request, in turn. */
class Connection {
  #socket;
  #pieces = Buffer.alloc(0);
  #resolve;
  #reject;

  static async open(port) {
    const connection = new Connection();
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    connection.#socket = socket;
    socket.on('data', (piece) => connection.#receive(piece));
    socket.on('error', (cause) => connection.#reject?.(cause));
    socket.on('close', () => connection.#reject?.(new Error('the server closed the connection')));
    await once(socket, 'connect');
    return connection;
  }

  send(bytes) {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#socket.write(bytes);
    });
  }

  close() {
    this.#reject = undefined;
    this.#socket.destroy();
  }

  #receive(piece) {
    this.#pieces = this.#pieces.length === 0 ? piece : Buffer.concat([this.#pieces, piece]);
    const end = this.#pieces.indexOf(HEAD_END);
    if (end < 0) return;
    const head = this.#pieces.latin1Slice(0, end);
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    const whole = end + HEAD_END.length + length;
    if (this.#pieces.length < whole) return;
    const body = this.#pieces.subarray(end + HEAD_END.length, whole);
    this.#pieces = this.#pieces.subarray(whole);
    this.#resolve?.({ status: Number(head.slice(9, 12)), body }); // what nobody asked for says why the server closes
  }
}

export class Load {
  #port;

  constructor(url) {
    this.#port = Number(new URL(url).port);
  }

  /** As fast as `inFlight` connections go. `next` gives { bytes, check }, and check throws for an answer that is wrong. */
  async peak(next, inFlight, seconds) {
    const connections = await this.#open(inFlight);
    try {
      await this.#rush(next, connections, WARM_UP_MS);
      return await this.#rush(next, connections, seconds * 1_000);
    } finally {
      for (const connection of connections) connection.close();
    }
  }

  /** `perSecond` requests at an even pace. Latency counts from when a request was due, so waiting for a free connection counts. */
  async rate(next, perSecond, seconds, inFlight = 256) {
    const idle = await this.#open(inFlight);
    const all = [...idle];
    // each is used once: the server closes a connection on which nothing came for 10 s
    const use = async (connection) => {
      const { bytes, check } = next();
      check(await connection.send(bytes));
    };
    await Promise.all(all.map(use));
    const result = { sent: 0, latencies: [] };
    const failures = [];
    const waiting = [];
    const run = async (due) => {
      const connection = idle.pop() ?? (await new Promise((resolve) => waiting.push(resolve)));
      const { bytes, check } = next();
      try {
        check(await connection.send(bytes));
        result.latencies.push(performance.now() - due);
      } catch (cause) {
        failures.push(cause);
      }
      const first = waiting.shift();
      if (first) first(connection);
      else idle.push(connection);
    };
    const begun = performance.now();
    const pending = [];
    for (let n = 0; n < perSecond * seconds; ) {
      const now = performance.now() - begun;
      for (; n <= (now / 1_000) * perSecond && n < perSecond * seconds; n += 1) {
        pending.push(run(begun + (n / perSecond) * 1_000));
      }
      await after(1);
    }
    await Promise.all(pending);
    for (const connection of all) connection.close();
    if (failures.length > 0) throw failures[0];
    return { perSecond, requests: result.latencies.length, ...summary(result.latencies) };
  }

  async #rush(next, connections, milliseconds) {
    const latencies = [];
    const begun = performance.now();
    const end = begun + milliseconds;
    const drive = async (connection) => {
      for (let now = performance.now(); now < end; ) {
        const { bytes, check } = next();
        check(await connection.send(bytes));
        const then = performance.now();
        latencies.push(then - now);
        now = then;
      }
    };
    await Promise.all(connections.map(drive));
    const took = (performance.now() - begun) / 1_000;
    return { perSecond: latencies.length / took, requests: latencies.length, ...summary(latencies) };
  }

  #open(count) {
    return Promise.all(Array.from({ length: count }, () => Connection.open(this.#port)));
  }
}

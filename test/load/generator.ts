import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { setTimeout as after } from 'node:timers/promises';
import { Tally } from './tally.js';

/** No client waits longer for an answer. */
const PATIENCE_MS = 10_000;
const HEAD_END = Buffer.from('\r\n\r\n');

export interface Reply {
  readonly status: number;
  readonly body: string;
}

/** A prepared request, and what an answer must be: undefined when it is right, else what is wrong with it. */
export interface Shot {
  readonly bytes: Buffer;
  readonly verdict: (reply: Reply) => string | undefined;
}

/** The bytes of a request. */
export function requestOf(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body?: unknown,
): Buffer {
  const payload = body === undefined ? '' : JSON.stringify(body);
  const all = { host: 'load', 'content-length': String(Buffer.byteLength(payload)), ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${payload}`);
}

/** A kept-alive connection with one request in flight. */
class Connection {
  #pieces: Buffer = Buffer.alloc(0);
  #waiting: { resolve: (reply: Reply) => void; reject: (cause: Error) => void } | undefined;
  open = true;

  private constructor(
    private readonly socket: Socket,
    private readonly gone: (connection: Connection) => void,
  ) {
    socket.on('data', (piece: Buffer) => this.#receive(piece));
    socket.on('error', (cause) => this.#end(cause));
    socket.on('close', () => this.#end(new Error('the server closed the connection')));
  }

  static to(url: string, gone: (connection: Connection) => void): Connection {
    const { hostname, port } = new URL(url);
    return new Connection(connect({ host: hostname, port: Number(port), noDelay: true }), gone);
  }

  async send(bytes: Buffer): Promise<Reply> {
    const timer = setTimeout(() => this.socket.destroy(new Error(`no answer in ${PATIENCE_MS} ms`)), PATIENCE_MS);
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting = { resolve, reject };
        this.socket.write(bytes);
      });
    } finally {
      clearTimeout(timer);
      this.#waiting = undefined;
    }
  }

  close(): void {
    this.socket.destroy();
  }

  #end(cause: Error): void {
    this.open = false;
    this.gone(this);
    this.#waiting?.reject(cause);
  }

  #receive(piece: Buffer): void {
    this.#pieces = this.#pieces.length === 0 ? piece : Buffer.concat([this.#pieces, piece]);
    const end = this.#pieces.indexOf(HEAD_END);
    if (end < 0) return;
    const head = this.#pieces.toString('latin1', 0, end);
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    const whole = end + HEAD_END.length + length;
    if (this.#pieces.length < whole) return;
    const body = this.#pieces.toString('utf8', end + HEAD_END.length, whole);
    this.#pieces = this.#pieces.subarray(whole);
    this.#waiting?.resolve({ status: Number(head.slice(9, 12)), body });
  }
}

/**
 * Clients in an open model: requests at an even pace, whatever becomes of those before. A request that waits for its turn
 * waits from when it was due.
 */
export class Clients {
  readonly tally = new Tally();
  readonly #idle: Connection[] = [];
  readonly #pending = new Set<Promise<void>>();
  #stopped = false;
  readonly #pace: Promise<void>;

  /** `next` is asked for each request. */
  constructor(
    private readonly url: string,
    private readonly next: () => Shot,
    perSecond: number,
  ) {
    this.#pace = this.#keepPace(perSecond);
  }

  /** Sends no more, and waits for the answers. */
  async stop(): Promise<Tally> {
    this.#stopped = true;
    await this.#pace;
    await Promise.all(this.#pending);
    for (const connection of this.#idle.splice(0)) connection.close();
    return this.tally;
  }

  async #keepPace(perSecond: number): Promise<void> {
    const begun = performance.now();
    for (let n = 0; !this.#stopped; ) {
      for (const due = (performance.now() - begun) / 1_000; n <= due * perSecond; n += 1) {
        const one = this.#one(begun + (n / perSecond) * 1_000);
        this.#pending.add(one);
        void one.then(() => this.#pending.delete(one));
      }
      await after(1);
    }
  }

  async #one(due: number): Promise<void> {
    const { bytes, verdict } = this.next();
    this.tally.sent += 1;
    const connection = this.#idle.pop() ?? Connection.to(this.url, (gone) => this.#drop(gone));
    try {
      const reply = await connection.send(bytes);
      const wrong = verdict(reply);
      if (wrong === undefined) this.tally.good(performance.now() - due);
      else this.tally.bad(wrong);
    } catch (cause) {
      this.tally.bad(String(cause));
    }
    if (connection.open) this.#idle.push(connection);
  }

  #drop(connection: Connection): void {
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }
}

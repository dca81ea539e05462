import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A request as it came. */
export interface Seen {
  /** `METHOD path`, without the query. */
  readonly call: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The parsed JSON; undefined when there was no body. */
  readonly body: unknown;
}
export interface Answer {
  readonly status: number;
  readonly body?: unknown;
}

/** The wire of IBM Key Protect's API v2, and of API keys, with canned answers: it remembers what it was asked. */
export class StandInKeys {
  readonly instance = randomUUID();
  readonly apiKey = randomUUID();
  readonly seen: Seen[] = [];
  /** By `METHOD path`. What is not here is answered with 404. A string is sent as it is, all else as JSON. */
  answers: Record<string, Answer> = {};
  readonly #server: Server;

  constructor() {
    this.#server = createServer(async (request, response) => {
      const url = new URL(request.url ?? '/', 'http://stand-in');
      const sent = await text(request);
      const call = `${request.method} ${url.pathname}`;
      const { headers } = request;
      const query = Object.fromEntries(url.searchParams);
      this.seen.push({ call, query, headers, body: sent === '' ? undefined : JSON.parse(sent) });
      const { status, body } = this.answers[call] ?? refusal(404, 'NOT_FOUND', `there is no ${call}`);
      response.writeHead(status).end(typeof body === 'string' || body === undefined ? body : JSON.stringify(body));
    });
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }
  stop(): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
  get env(): Record<string, string> {
    const { port } = this.#server.address() as AddressInfo;
    const KP_TARGET_ADDR = `http://127.0.0.1:${port}`;
    return { KP_TARGET_ADDR, KP_API_KEY: this.apiKey, KP_INSTANCE_ID: this.instance };
  }
  /** The last request, and only that. */
  get last(): Pick<Seen, 'call' | 'query' | 'body'> {
    const { call = '', query = {}, body } = this.seen.at(-1) ?? {};
    return { call, query, body };
  }
}

export const collection = (...resources: unknown[]) => ({
  metadata: { collectionType: 'application/vnd.ibm.kms.key+json', collectionTotal: resources.length },
  resources,
});

/** IBM's error body. */
export function refusal(status: number, code: string, message: string): Answer {
  const errorMsg = `Conflict: Action could not be performed on key: Please see \`reasons\` for more details (${code})`;
  return { status, body: collection({ errorMsg, reasons: [{ code, message, status }] }) };
}

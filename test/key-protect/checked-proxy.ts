import 'reflect-metadata';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Operation } from '../../src/dialects/key-protect/operation.js';
import { OPERATIONS } from '../../src/dialects/key-protect/operations.js';
import { ErrorBody } from '../../src/dialects/key-protect/wire.js';

export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly text: string;
}

/**
 * Stands between a client and the server, passes everything through unchanged, and holds every answer of the API against
 * the schemas from which the OpenAPI document is made.
 */
export class CheckedProxy {
  /** What was answered otherwise than the document says. */
  readonly violations: string[] = [];
  readonly exchanges: Exchange[] = [];

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async start(target: string): Promise<CheckedProxy> {
    let proxy: CheckedProxy | undefined;
    const server = createServer((asked, answer) => proxy?.pass(target, asked, answer));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    proxy = new CheckedProxy(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    return proxy;
  }

  async end(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private pass(target: string, asked: IncomingMessage, answer: ServerResponse): void {
    const { hostname, port } = new URL(target);
    const { method = 'GET', url = '/', headers } = asked;
    const onward = request({ hostname, port, method, path: url, headers }, (got) => {
      const chunks: Buffer[] = [];
      got.on('data', (chunk: Buffer) => chunks.push(chunk));
      got.on('end', () => {
        const body = Buffer.concat(chunks);
        const exchange = { method, path: url, status: got.statusCode ?? 0, text: body.toString() };
        this.exchanges.push(exchange);
        this.violations.push(...violationsOf(exchange));
        answer.writeHead(got.statusCode ?? 502, got.headers).end(body);
      });
    });
    onward.on('error', () => answer.destroy());
    asked.pipe(onward);
  }
}

/** What the answer breaks: sentences, empty when nothing. */
export function violationsOf({ method, path, status, text }: Exchange): string[] {
  const { pathname, searchParams } = new URL(path, 'http://server');
  if (!pathname.startsWith('/api/v2')) return [];
  const say = (problem: string) => [`${method} ${path} → ${status}: ${problem}: ${text.slice(0, 300)}`];
  if (status >= 400) {
    if (method === 'HEAD') return [];
    const checked = ErrorBody.safeParse(parsed(text));
    return checked.success ? [] : say(checked.error.message);
  }
  const operation = operationAt(method, routed(pathname, searchParams.get('action')));
  if (operation === undefined) return say('no such operation is described');
  if (!operation.answers.has(status)) return say('the status is not described');
  const schema = operation.answers.get(status) ?? null;
  if (schema === null) return text === '' ? [] : say('a body where none is described');
  const checked = schema.safeParse(parsed(text));
  return checked.success ? [] : say(checked.error.message);
}

function routed(pathname: string, action: string | null): string {
  if (action === null) return pathname;
  return action === 'restore' ? `${pathname}/restore` : `${pathname}/actions/${action}`;
}

function operationAt(method: string, pathname: string): Operation | undefined {
  const fits = OPERATIONS.filter((operation) => {
    const pattern = operation.path.replace(/:\w+/g, '[^/]+');
    return operation.method === method && new RegExp(`^${pattern}$`).test(pathname);
  });
  return fits.find(({ path }) => !path.includes(':')) ?? fits[0];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the schema then says so
  }
}

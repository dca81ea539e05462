import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Exchange, violationsOf } from './described.js';

/**
 * Stands between a client and the server, passes everything through unchanged, and holds every answer of the API against
 * the OpenAPI document.
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

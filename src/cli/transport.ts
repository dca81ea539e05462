import { readFileSync } from 'node:fs';
import { type ClientRequest, request as overHttp } from 'node:http';
import { request as overHttps } from 'node:https';
import { KeysteadError, messageOf } from '../shared/errors.js';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutMs: number;
  /** Takes the body of an answer that is a success, however long it is; the response has no text then. */
  readonly take?: (part: Buffer) => void;
}
export interface HttpResponse {
  readonly status: number;
  readonly text: string;
}

const MAX_ANSWER_BYTES = 16 << 20;

/**
 * One exchange over HTTP or HTTPS; redirects are not followed. `caFile` replaces the system's certificate authorities.
 * SERVER_UNREACHABLE when there is no whole answer in time.
 */
export function send(request: HttpRequest, caFile: string | undefined): Promise<HttpResponse> {
  const { url, method, headers, body, timeoutMs, take } = request;
  const secure = url.protocol === 'https:';
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: unknown) => reject(unreachable(url, why, cause));
    const options = { method, headers: { ...headers, ...(body !== undefined && lengthOf(body)) }, agent: false };
    const call = secure ? overHttps(url, { ...options, ...trust(caFile) }) : overHttp(url, options);
    const late = () => call.destroy(new Error(`no answer within ${timeoutMs / 1000} s`));
    const deadline = setTimeout(late, timeoutMs);
    call.on('close', () => clearTimeout(deadline));
    call.on('error', (cause) => fail(messageOf(cause) || String((cause as NodeJS.ErrnoException).code), cause));
    call.on('response', (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      const taken = take !== undefined && response.statusCode === 200;
      response.on('data', (chunk: Buffer) => {
        if (taken) {
          deadline.refresh();
          return tryTo(() => take(chunk), call);
        }
        chunks.push(chunk);
        size += chunk.length;
        if (size > MAX_ANSWER_BYTES) call.destroy(new Error('the answer is larger than 16 MiB'));
      });
      response.on('error', (cause) => fail(messageOf(cause), cause));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
      );
    });
    call.end(body);
  });
}

function tryTo(work: () => void, call: ClientRequest): void {
  try {
    work();
  } catch (cause) {
    call.destroy(cause as Error);
  }
}

const lengthOf = (body: string) => ({
  'content-type': 'application/json',
  'content-length': String(Buffer.byteLength(body)),
});

function trust(caFile: string | undefined): { ca?: Buffer } {
  if (caFile === undefined) return {};
  try {
    return { ca: readFileSync(caFile) };
  } catch (cause) {
    throw new KeysteadError('FILE_INVALID', `cannot read KP_CA_FILE ${caFile}: ${messageOf(cause)}`, { cause });
  }
}

function unreachable(url: URL, why: string, cause: unknown): KeysteadError {
  return new KeysteadError(
    'SERVER_UNREACHABLE',
    `no answer from ${url.origin}: ${why}; check that the server runs and that KP_TARGET_ADDR names it`,
    { cause },
  );
}

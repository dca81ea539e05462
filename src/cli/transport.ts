import { readFileSync } from 'node:fs';
import { type ClientRequest, request as overHttp } from 'node:http';
import { request as overHttps } from 'node:https';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { readPrivateFile } from '../shared/durable-file.js';
import { KeysteadError, messageOf, needs } from '../shared/errors.js';

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

/** Files of the environment: whom kp trusts, and the certificate that it shows. */
export interface TlsFiles {
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

const MAX_ANSWER_BYTES = 16 << 20;

/**
 * One exchange over HTTP or HTTPS; redirects are not followed. `caFile` replaces the system's certificate authorities.
 * SERVER_UNREACHABLE when there is no whole answer in time; FILE_INVALID for a file of TLS that cannot be used.
 */
export function send(request: HttpRequest, tls: TlsFiles): Promise<HttpResponse> {
  const { url, method, headers, body, timeoutMs, take } = request;
  const secure = url.protocol === 'https:';
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: unknown) => reject(unreachable(url, why, cause));
    const options = { method, headers: { ...headers, ...(body !== undefined && lengthOf(body)) }, agent: false };
    const call = secure ? overHttps(url, { ...options, ...readTls(tls) }) : overHttp(url, options);
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

function readTls({ caFile, certFile, keyFile }: TlsFiles): SecureContextOptions {
  const together = (certFile === undefined) === (keyFile === undefined);
  needs(together, 'USAGE', 'KP_CLIENT_CERT_FILE and KP_CLIENT_KEY_FILE go together: set both or none');
  const options: SecureContextOptions = {};
  if (caFile !== undefined) options.ca = read(caFile, 'KP_CA_FILE');
  if (certFile === undefined || keyFile === undefined) return options;
  options.cert = read(certFile, 'KP_CLIENT_CERT_FILE');
  options.key = readPrivateFile(keyFile);
  const closed = options.key !== undefined;
  needs(closed, 'FILE_INVALID', `KP_CLIENT_KEY_FILE: ${keyFile} must be a file that only you can read (chmod 600)`);
  try {
    createSecureContext(options);
  } catch (cause) {
    const why = `KP_CLIENT_CERT_FILE and KP_CLIENT_KEY_FILE do not go together: ${messageOf(cause)}`;
    throw new KeysteadError('FILE_INVALID', why, { cause });
  }
  return options;
}

function read(file: string, variable: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new KeysteadError('FILE_INVALID', `cannot read ${variable} ${file}: ${messageOf(cause)}`, { cause });
  }
}

const NOT_TRUSTED = /certificate|self.signed|issuer/i;

function unreachable(url: URL, why: string, cause: unknown): KeysteadError {
  const check =
    url.protocol === 'https:' && NOT_TRUSTED.test(why)
      ? 'set KP_CA_FILE to the certificate of the CA that signed the server, and KP_TARGET_ADDR to a name in its certificate'
      : 'check that the server runs and that KP_TARGET_ADDR names it';
  return new KeysteadError('SERVER_UNREACHABLE', `no answer from ${url.origin}: ${why}; ${check}`, { cause });
}

import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import pg from 'pg';
import { z } from 'zod';
import { type ErrorCode, isErrorCode } from '../src/shared/errors.js';
import type { World } from './world.js';

/** What every refusal looks like (src/http/envelope.ts), to the last member. */
const Reason = z.strictObject({
  code: z.custom<ErrorCode>(isErrorCode),
  message: z.string().min(1),
  status: z.int(),
});
const Envelope = z.strictObject({
  metadata: z.strictObject({
    collectionType: z.literal('application/vnd.ibm.kms.error+json'),
    collectionTotal: z.literal(1),
  }),
  resources: z.tuple([z.strictObject({ errorMsg: z.string().min(1), reasons: z.tuple([Reason]).optional() })]),
});

/** A line of a stack trace, or a place in the sources. */
const STACK = /\n\s+at |node_modules|\/(src|dist)\/|\.[jt]s:\d/;

export interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer | undefined;
}

export interface Got {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

const PATIENCE_MS = 15_000;
const agent = new Agent({ keepAlive: true, maxSockets: 16 });

/** Sends what fetch would mend: paths as they are, any method, no headers of its own but Host and the length. */
export function send(world: World, { method, path, headers = {}, body }: Sent): Promise<Got> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(world.url);
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const options = { agent, hostname, port, method, path, headers: { ...length, ...headers } };
    const asked = request(options, (answer) => {
      const pieces: Buffer[] = [];
      answer.on('data', (piece: Buffer) => pieces.push(piece));
      answer.on('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          text: Buffer.concat(pieces).toString(),
        }),
      );
      answer.on('error', reject);
    });
    asked.setTimeout(PATIENCE_MS, () => asked.destroy(new Error(`no answer in ${PATIENCE_MS} ms`)));
    asked.on('error', (cause) => reject(new Error(`${method} ${path.slice(0, 200)}: ${cause.message}`, { cause })));
    asked.end(body);
  });
}

/** Sends bytes; what came back until the server closed. */
export function sendRaw(world: World, text: string | Buffer): Promise<Got> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(world.url);
    const socket = connect(Number(port), hostname);
    const pieces: Buffer[] = [];
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error(`not closed in ${PATIENCE_MS} ms`)));
    socket.on('data', (piece: Buffer) => pieces.push(piece));
    socket.on('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'EPIPE' && cause.code !== 'ECONNRESET') reject(cause); // the server may close while we write
    });
    socket.on('close', () => {
      const [head = '', ...rest] = Buffer.concat(pieces).toString().split('\r\n\r\n');
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0);
      const lines = head.split('\r\n').slice(1);
      const headers = Object.fromEntries(lines.map((line) => [line.split(':')[0]?.toLowerCase(), line]));
      resolve({ status, headers, text: rest.join('\r\n\r\n') });
    });
    socket.write(text);
  });
}

/** What is wrong with an answer as a refusal by the client's fault; null when nothing is. */
export function wrongWithRefusal(got: Got): string | null {
  const { status, headers, text } = got;
  if (status < 400 || status > 499) return `the status is ${status}: ${text.slice(0, 300)}`;
  if (STACK.test(text)) return `it shows the inside: ${text.slice(0, 300)}`;
  if (!String(headers['content-type']).includes('application/json')) return `it is ${headers['content-type']}`;
  const envelope = Envelope.safeParse(parsed(text));
  if (!envelope.success) return `it is not the envelope: ${text.slice(0, 300)}`;
  const [{ reasons }] = envelope.data.resources;
  if ((status === 401) !== (reasons === undefined)) return `a ${status} with${reasons ? '' : 'out'} reasons`;
  if (reasons && status !== 431 && reasons[0].status !== status) return `${reasons[0].status} in a ${status}`;
  return null;
}

/** The code of a refusal; undefined when there is none. */
export function codeIn({ text }: Got): string | undefined {
  const envelope = Envelope.safeParse(parsed(text));
  return envelope.data?.resources[0].reasons?.[0].code;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const TABLES = ['instances', 'crypto_units', 'operations', 'operation_units', 'keys', 'key_versions', 'api_keys'];

/** All that requests could change: the tables but the audit log, and the units as the server shows them. */
export async function everything(world: World): Promise<object> {
  const db = new pg.Client({ connectionString: world.databaseUrl });
  await db.connect();
  try {
    const rows: Record<string, unknown> = {};
    for (const table of TABLES) {
      rows[table] = (await db.query(`SELECT to_jsonb(t) - 'seenAt' AS row FROM "${table}" t ORDER BY 1`)).rows;
    }
    const units = (await world.units()).map(({ id, state }) => ({ id, state }));
    return { ...rows, units };
  } finally {
    await db.end();
  }
}

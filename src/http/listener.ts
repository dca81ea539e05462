import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIPv4, type Socket } from 'node:net';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Config } from '../config/config.js';
import { KeysteadError } from '../shared/errors.js';
import { envelopeOf } from './envelope.js';
import { readTls, STRICT_TRANSPORT } from './tls.js';

const BODY_LIMIT = 1 << 20;
const MAX_HEADER_BYTES = 128 << 10;
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_MS = 65_000; // longer than load balancers keep a connection, so that they close it, not we
const MAX_PARAM_LENGTH = 512;
const CORRELATION_ID = /^[\w.:/+=@-]{1,128}$/;

/**
 * Fastify, as every route relies on it: a body is read once, at most 1 MiB, whatever its Content-Type says (clients send
 * all sorts, curl's form type among them), and kept as bytes until it is known who asks; an id for every request;
 * nothing cached. `routedUrl` says by which URL a request is routed, where that is another than its own.
 */
export function makeListener(
  config: Pick<Config, 'tls' | 'trustedProxies'>,
  routedUrl: (request: Pick<IncomingMessage, 'method' | 'url' | 'headers'>) => string = ({ url = '/' }) => url,
): FastifyAdapter {
  const node = { maxHeaderSize: MAX_HEADER_BYTES, headersTimeout: HEADERS_TIMEOUT_MS, requireHostHeader: false };
  const adapter = new FastifyAdapter({
    logger: false,
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    genReqId: correlationIdOf,
    rewriteUrl: routedUrl,
    clientErrorHandler: refuseUnreadable,
    frameworkErrors: refusePath,
    ...trust(config),
    ...(config.tls ? { https: { ...node, ...https(config.tls) } } : { http: node }),
  });
  const fastify: FastifyInstance = adapter.getInstance();
  keepBodiesAsBytes(fastify);
  fastify.server.on('checkExpectation', (request, response) => fastify.server.emit('request', request, response));
  fastify.addHook('onRequest', (request, reply, done) => {
    reply.headers(headersFor(request));
    if (config.tls) reply.header('Strict-Transport-Security', STRICT_TRANSPORT);
    done(unservable(request));
  });
  return adapter;
}

/** A client's certificate is asked for where administrators have some; whether one is needed, the gate decides. */
function https(tls: NonNullable<Config['tls']>) {
  const asked = tls.clientCaFile !== undefined;
  return { ...readTls(tls).options, ...(asked && { requestCert: true, rejectUnauthorized: false }) };
}

/** Whose X-Forwarded-For is believed: nobody's but the named proxies'. */
function trust({ trustedProxies }: Pick<Config, 'trustedProxies'>) {
  if (trustedProxies === undefined) return {};
  return {
    trustProxy: (address: string) => trustedProxies.check(address, isIPv4(address) ? 'ipv4' : 'ipv6'),
  };
}

/** The refusal of what node would refuse by itself, without a body (RFC 9112 section 3.2, RFC 9110 section 10.1.1). */
function unservable({ headers, raw }: FastifyRequest): KeysteadError | undefined {
  const { host, expect } = headers;
  if (host === undefined && raw.httpVersion !== '1.0') {
    return new KeysteadError('BAD_REQUEST', 'the request has no Host header');
  }
  if (expect === undefined || expect.toLowerCase() === '100-continue') return undefined;
  return new KeysteadError('BAD_REQUEST', 'the only expectation that can be met is 100-continue');
}

function headersFor(request: FastifyRequest): Record<string, string> {
  return {
    'Correlation-Id': request.id,
    'X-Request-ID': request.id,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  };
}

/** SchemaPipe makes JSON of it, after the guard: a caller who is nobody hears that first, whatever he sent. */
function keepBodiesAsBytes(fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (_request: FastifyRequest, body: Buffer, done) => {
    done(null, body);
  });
}

/** The client's own id, if it is one that can be shown anywhere. */
function correlationIdOf(request: IncomingMessage): string {
  const given = request.headers['correlation-id'] ?? request.headers['x-request-id'];
  return typeof given === 'string' && CORRELATION_ID.test(given) ? given : randomUUID();
}

/** A path that cannot be decoded, or has a segment that is too long: the router refuses it before any hook runs. */
function refusePath(_cause: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const refusal = new KeysteadError('BAD_REQUEST', 'the path cannot be read; check its escapes and its length');
  reply.status(400).headers(headersFor(request)).send(envelopeOf(refusal));
}

/** What is not HTTP, or too much of it, never becomes a request: answered on the socket. */
function refuseUnreadable(cause: NodeJS.ErrnoException, socket: Socket): void {
  if (cause.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const tooLarge = cause.code === 'HPE_HEADER_OVERFLOW';
  const message = tooLarge
    ? 'the headers are larger than 128 KiB'
    : 'the request cannot be read as HTTP, or came too slowly';
  const body = JSON.stringify(envelopeOf(new KeysteadError('BAD_REQUEST', message)));
  const lines = [
    tooLarge ? 'HTTP/1.1 431 Request Header Fields Too Large' : 'HTTP/1.1 400 Bad Request',
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    'Connection: close',
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
}

import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { isUuid } from '../shared/uuid.js';
import type { WithCaller } from './asked-by.js';
import { instanceIn } from './instance-header.js';
import { originOf } from './request-origin.js';

/** What load balancers and scrapers ask every few seconds. */
const WATCHING = /^[A-Z]+ \/(livez|readyz|startupz|health|metrics)\b/;

/**
 * One line per request when it was answered. It names the route, never the path, query or body, which may hold what
 * nobody should read.
 */
export function logAccess(fastify: FastifyInstance, log: Logger): void {
  fastify.addHook('onResponse', (request: FastifyRequest & WithCaller, reply, done) => {
    const { caller, instanceId = instanceIn(request.headers as Record<string, string>) } = request;
    const { correlationId, requestPath } = caller?.request ?? originOf(request);
    const level = WATCHING.test(requestPath) ? 'debug' : 'info';
    log[level]({
      event: 'request',
      correlationId,
      request: requestPath,
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 1_000) / 1_000,
      caller: caller?.id ?? null,
      instance: instanceId !== undefined && isUuid(instanceId) ? instanceId : null,
    });
    done();
  });
}

import type { FastifyRequest } from 'fastify';
import type { RequestOrigin } from '../audit/audit-entry.js';

/** The request as audit lines name it; `action` is what the caller asks for, where many share a route. */
export function originOf(request: FastifyRequest, action?: string): RequestOrigin {
  const { id: correlationId, method } = request;
  const route = action ?? request.routeOptions.url ?? '';
  return { correlationId, requestPath: `${method} ${route}` };
}

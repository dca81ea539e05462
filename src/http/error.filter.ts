import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Inject } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { LOG } from '../config/log.js';
import { databaseOutage } from '../database/outage.js';
import { type ErrorCode, HTTP_STATUS, KeysteadError, RateLimitError } from '../shared/errors.js';
import { envelopeOf } from './envelope.js';

const RETRY_AFTER_S = '2';

/** What the framework refuses by itself, by its status. Any other 4xx is a BAD_REQUEST. */
const FRAMEWORK: Readonly<Record<number, (request: FastifyRequest) => KeysteadError>> = {
  404: ({ method, url }) => new KeysteadError('NOT_FOUND', `there is no ${method} ${pathOf(url)}`),
  413: () => new KeysteadError('BODY_TOO_LARGE', 'the body is larger than 1 MiB'),
};

/** A route may answer refusals in a shape of its own: `@RouteConfig({ answerTo })`. */
export interface AnswersErrors {
  readonly answerTo?: (
    error: KeysteadError,
    requestId: string,
    /** As the client names this server. */
    host: string,
  ) => { readonly status: number; readonly body: object };
}

const ours: NonNullable<AnswersErrors['answerTo']> = (error) => ({
  status: HTTP_STATUS[error.code],
  body: envelopeOf(error),
});

/** Every error of every route becomes an answer here: KeysteadErrors as they are, all others without a word about their cause. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  constructor(@Inject(LOG) private readonly log: Logger) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const reply = http.getResponse<FastifyReply>();
    if (reply.sent) return;
    const request = http.getRequest<FastifyRequest>();
    const error = this.#meaningOf(thrown, request);
    const { answerTo = ours } = request.routeOptions.config as AnswersErrors;
    const { status, body } = answerTo(error, request.id, request.headers.host ?? '');
    if (status === 401) reply.header('WWW-Authenticate', 'Bearer');
    if (status === 503) reply.header('Retry-After', RETRY_AFTER_S);
    if (error instanceof RateLimitError) reply.header('Retry-After', String(error.retryAfterS));
    reply.status(status).type('application/json; charset=utf-8').send(body);
  }

  #meaningOf(thrown: unknown, request: FastifyRequest): KeysteadError {
    const error = thrown instanceof KeysteadError ? thrown : (databaseOutage(thrown) ?? frameworks(thrown, request));
    if (error === undefined || error.code === 'INTERNAL') return this.#fault(error ?? thrown, request);
    if (HTTP_STATUS[error.code] >= 500) {
      this.log.warn({ event: 'request-failed', code: error.code, message: error.message, correlationId: request.id });
    }
    return error;
  }

  /** A fault of ours: what it was stands in the log, under the id that the answer gives. */
  #fault(thrown: unknown, request: FastifyRequest): KeysteadError {
    const { name, message, stack } = thrown instanceof Error ? thrown : new Error(`thrown: ${typeof thrown}`);
    this.log.error({ event: 'internal-error', code: 'INTERNAL', correlationId: request.id, name, message, stack });
    return new KeysteadError('INTERNAL', `an error of the server; its log has more under correlation id ${request.id}`);
  }
}

function frameworks(thrown: unknown, request: FastifyRequest): KeysteadError | undefined {
  const status = statusOf(thrown);
  if (status === undefined || status < 400 || status >= 500) return undefined;
  const make = FRAMEWORK[status];
  if (make !== undefined) return make(request);
  const code: ErrorCode = 'BAD_REQUEST';
  return new KeysteadError(code, thrown instanceof Error ? thrown.message : 'the request cannot be read');
}

/** The status of a Nest exception, or of an error of Fastify's own. */
function statusOf(thrown: unknown): number | undefined {
  if (thrown instanceof HttpException) return thrown.getStatus();
  if (!(thrown instanceof Error) || thrown.name !== 'FastifyError') return undefined;
  const { statusCode } = thrown as { statusCode?: unknown };
  return typeof statusCode === 'number' ? statusCode : undefined;
}

function pathOf(url: string): string {
  return url.split('?')[0] ?? url;
}

import {
  applyDecorators,
  createParamDecorator,
  type ExecutionContext,
  HttpCode,
  RequestMapping,
  RequestMethod,
} from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Caller } from '../../access/caller.js';
import type { RequestClass } from '../../access/gate.js';
import type { KeysteadError } from '../../shared/errors.js';
import { answerTo, type OwnWords } from './errors.js';

/** Where every operation of a project stands. */
const PROJECT = '/v1.0/:project/kms';

/**
 * One operation of the API, said once: its route, who may ask (the command or query behind it), what it reads, what it
 * answers, and which refusals it calls otherwise than the rest. Routes, validation and refusals come from it.
 */
export interface Operation<Query extends z.ZodType = z.ZodType, Body extends z.ZodType = z.ZodType> {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** From the root, with `:name` for parameters. */
  readonly path: string;
  readonly request: RequestClass;
  readonly query: Query;
  readonly body: Body;
  /** The shape of the answer, types included: some clients are strict. Null: 204 and nothing. */
  readonly answer: z.ZodType | null;
  readonly ownWords: OwnWords;
}

interface Given<Query extends z.ZodType, Body extends z.ZodType> {
  /** `POST create-key`, below the project. */
  readonly route: string;
  readonly request: RequestClass;
  readonly query?: Query;
  readonly body?: Body;
  readonly answer: z.ZodType | null;
  readonly ownWords?: OwnWords;
}

/** Nothing is read. Clients send `{}` with a GET and query parameters with a POST; they are not looked at. */
export const NOTHING = z.unknown().transform(() => undefined);

export function operation<Query extends z.ZodType = typeof NOTHING, Body extends z.ZodType = typeof NOTHING>({
  route,
  request,
  query,
  body,
  answer,
  ownWords = {},
}: Given<Query, Body>): Operation<Query, Body> {
  const [method, path] = route.split(' ') as [Operation['method'], string];
  return {
    method,
    path: `${PROJECT}/${path}`,
    request,
    query: query ?? (NOTHING as unknown as Query),
    body: body ?? (NOTHING as unknown as Body),
    answer,
    ownWords,
  };
}

/** What an operation was asked, by whom and where, checked. */
export interface Asked<O extends Operation = Operation> {
  readonly caller: Caller;
  readonly place: { readonly instanceId: string };
  readonly params: Readonly<Record<string, string>>;
  readonly query: z.output<O['query']>;
  readonly body: z.output<O['body']>;
}

/** What the route configuration carries and the admission leaves on the request. */
export interface OperationRequest extends FastifyRequest {
  asked?: Asked;
}

/** The operation that the request's route serves; undefined for a path that is none. */
export function operationOf(request: FastifyRequest): Operation | undefined {
  return (request.routeOptions.config as { operation?: Operation }).operation;
}

/** Routes the operation to the method, and its refusals into the vendor's codes. */
export function Serve(served: Operation): MethodDecorator {
  return applyDecorators(
    RequestMapping({ path: served.path, method: RequestMethod[served.method] }),
    HttpCode(served.answer === null ? 204 : 200),
    RouteConfig({
      operation: served,
      answerTo: (error: KeysteadError, requestId: string) => answerTo(error, requestId, served.ownWords),
    }),
  );
}

/** What was asked, as the admission left it. */
export const AskedFor: () => ParameterDecorator = createParamDecorator<void, Asked | undefined>(
  (_data, context: ExecutionContext) => context.switchToHttp().getRequest<OperationRequest>().asked,
);

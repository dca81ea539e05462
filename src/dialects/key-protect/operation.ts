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
import type { RequestClass } from '../../access/gate.js';
import type { WithCaller } from '../../http/asked-by.js';
import type { KeyTarget } from '../../keys/key-target.js';
import { answerTo } from './errors.js';
import { NO_QUERY } from './query.js';

/**
 * One operation of the API, said once: its route, who may ask (the command or query behind it), what it reads, what it
 * answers, and how IBM calls its failure. Routes, validation, refusals and the OpenAPI document come from it.
 */
export interface Operation<Query extends z.ZodType = z.ZodType, Body extends z.ZodType = z.ZodType> {
  readonly id: string;
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** From the root, with `:name` for parameters. */
  readonly path: string;
  readonly summary: string;
  /** `Key could not be created`: the middle of an errorMsg. */
  readonly failure: string;
  readonly request: RequestClass;
  /** Its handler begins with a look at the key in the path, which may be asked for with the caller. */
  readonly readsKey?: true;
  readonly query: Query;
  /** A schema that takes undefined makes the body optional. */
  readonly body: Body;
  /** Bodies by status, null for none; the first is the usual one. */
  readonly answers: ReadonlyMap<number, z.ZodType | null>;
}

type Given<Query extends z.ZodType, Body extends z.ZodType> = Omit<
  Operation<Query, Body>,
  'method' | 'path' | 'query' | 'body' | 'answers'
> & {
  /** `POST /api/v2/keys` */
  readonly route: string;
  readonly query?: Query;
  readonly body?: Body;
  readonly answers: readonly (readonly [status: number, body: z.ZodType | null])[];
};

/** The operation takes no body; clients send `null`, `{}` and nothing, so it is not looked at. */
export const NO_BODY = z.unknown().transform(() => undefined);

export function operation<Query extends z.ZodType = typeof NO_QUERY, Body extends z.ZodType = typeof NO_BODY>({
  route,
  query,
  body,
  answers,
  ...rest
}: Given<Query, Body>): Operation<Query, Body> {
  const [method, path] = route.split(' ') as [Operation['method'], string];
  return {
    ...rest,
    method,
    path,
    query: query ?? (NO_QUERY as unknown as Query),
    body: body ?? (NO_BODY as unknown as Body),
    answers: new Map(answers),
  };
}

/** What an operation was asked, checked. `target.key` is empty where the path names no key. */
export interface Asked<O extends Operation> {
  readonly target: KeyTarget;
  readonly params: Readonly<Record<string, string>>;
  readonly query: z.output<O['query']>;
  readonly body: z.output<O['body']>;
  /** The client's wish, if it has one. */
  readonly prefer: 'representation' | 'minimal' | undefined;
}

/** What the route configuration carries and the admission leaves on the request. */
export interface OperationRequest extends FastifyRequest, Pick<WithCaller, 'keyAhead'> {
  asked?: Asked<Operation>;
}

/** The operation that the request's route serves. */
export function operationOf(request: FastifyRequest): Operation {
  return (request.routeOptions.config as unknown as { operation: Operation }).operation;
}

/** Routes the operation to the method, and its refusals into IBM's words. */
export function Serve(served: Operation): MethodDecorator {
  const [status = 200] = served.answers.keys();
  return applyDecorators(
    RequestMapping({ path: served.path, method: RequestMethod[served.method] }),
    HttpCode(status),
    RouteConfig({
      operation: served,
      readsKey: served.readsKey === true,
      answerTo: (error: Parameters<typeof answerTo>[0]) => answerTo(error, served.failure),
    }),
  );
}

/** What was asked, as the admission left it. */
export const AskedFor: () => ParameterDecorator = createParamDecorator<void, Asked<Operation> | undefined>(
  (_data, context: ExecutionContext) => context.switchToHttp().getRequest<OperationRequest>().asked,
);

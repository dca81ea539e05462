import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Caller } from '../access/caller.js';
import type { Key } from '../keys/key.entity.js';
import { needs } from '../shared/errors.js';

/** What the guard, or the edge that finds out itself who calls, leaves on the request. */
export interface WithCaller {
  caller?: Caller;
  /** The key in the path, asked for with the caller; where the route's configuration says `readsKey`. */
  keyAhead?: Promise<Key | null> | undefined;
  /** The instance that the caller's credential belongs to, where the request names none. */
  instanceId?: string;
}

/** Configuration of a route whose handler begins with a look at the key that its parameter `id` names. */
export interface ReadsKey {
  readonly readsKey?: boolean;
}

const ASKED_BY = Symbol('asked by');

/**
 * The authenticated caller, as a parameter of a route handler. A route that has it is closed to everybody else; one that
 * has not cannot ask the gate anything, since the gate wants a caller.
 */
export const AskedBy: () => ParameterDecorator = createParamDecorator<void, Caller | undefined>(
  (_data, context: ExecutionContext) => context.switchToHttp().getRequest<WithCaller>().caller,
  [
    (controller, handler) => {
      if (handler !== undefined) Reflect.defineMetadata(ASKED_BY, true, controller, handler);
    },
  ],
);

/** The caller, for a guard that comes after the one that found out. */
export function callerOf(context: ExecutionContext): Caller {
  const { caller } = context.switchToHttp().getRequest<WithCaller>();
  needs(caller !== undefined, 'INTERNAL', 'the route has no @AskedBy(), so nobody was asked who calls');
  return caller;
}

/** Whether the route wants a caller. */
export function wantsCaller(context: ExecutionContext): boolean {
  return Reflect.hasMetadata(ASKED_BY, context.getClass().prototype, context.getHandler().name);
}

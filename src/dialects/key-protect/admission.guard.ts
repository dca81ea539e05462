import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { z } from 'zod';
import type { Caller } from '../../access/caller.js';
import { Gate } from '../../access/gate.js';
import { grantsFor, type Scope } from '../../access/scope.js';
import { Fleet } from '../../crypto-units/fleet.js';
import { noHealthyUpstream } from '../../crypto-units/no-healthy-upstream.js';
import { UnitPicker } from '../../crypto-units/unit-picker.js';
import { callerOf } from '../../http/asked-by.js';
import { instanceIn } from '../../http/instance-header.js';
import type { KeyTarget } from '../../keys/key-target.js';
import { needs } from '../../shared/errors.js';
import { readBody } from './body.js';
import { type Asked, type Operation, type OperationRequest, operationOf } from './operation.js';
import { readQuery } from './query.js';
import { InstanceHeaderError } from './refusals.js';

const Uuid = z.uuid();
const PREFER = /(?:^|[,;\s])return=(representation|minimal)\b/i;

/**
 * What holds for every operation, in the order clients see: the caller is known (the guard before this one), a unit of
 * the instance serves, the caller may do this here, and only then is the request read and checked.
 */
@Injectable()
export class Admission implements CanActivate {
  constructor(
    private readonly gate: Gate,
    private readonly fleet: Fleet,
    private readonly units: UnitPicker,
  ) {}

  /** Nothing is waited for, as a rule: who may ask is known, and the body is there. */
  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const request = context.switchToHttp().getRequest<OperationRequest>();
    const caller = callerOf(context);
    const operation = operationOf(request);
    const target = this.#target(request, operation, caller);
    const sound = isSound(request.params as Record<string, string>);
    const { instanceId, keyRingId } = target;
    const scope = { instanceId, keyRingId, key: (sound && target.key) || undefined }; // a NUL cannot even be audited
    const waits = this.gate.authorise(caller, operation.request, scope);
    const admit = (): true | Promise<never> => {
      try {
        // the framework routes a HEAD as its GET, which would use up a retrieval of the import token
        needs(request.method === operation.method, 'NOT_FOUND', `there is no ${request.method} ${operation.path}`);
        needs(sound, 'NOT_FOUND', 'the path holds a NUL character, and nothing is called so');
        request.asked = read(operation, request, target);
        return true;
      } catch (cause) {
        return this.#refuse(caller, operation, scope, cause);
      }
    };
    return waits === undefined ? admit() : waits.then(admit);
  }

  async #refuse(caller: Caller, operation: Operation, scope: Scope, cause: unknown): Promise<never> {
    await this.gate.failed(caller, operation.request, scope, cause);
    throw cause;
  }

  #target(
    { headers, params, keyAhead }: OperationRequest,
    { request: { permission } }: Operation,
    caller: Caller,
  ): KeyTarget {
    const given = instanceIn(headers as Record<string, string | undefined>);
    const known = given !== undefined && this.fleet.instance(given) !== undefined;
    const serves = (id: string) => this.units.serving(id).length > 0;
    if (!(known ? serves(given) : this.fleet.instances().some(({ id }) => serves(id)))) {
      const isHis = known && permission !== undefined && grantsFor(caller, permission, given).length > 0;
      throw noHealthyUpstream(isHis ? this.fleet.views(given) : []);
    }
    if (!known && !Uuid.safeParse(given).success) throw new InstanceHeaderError();
    needs(known, 'INSTANCE_NOT_FOUND', `there is no instance ${given}`);
    const ring = headers['x-kms-key-ring'];
    const { id: key = '' } = params as { id?: string };
    const keyRingId = typeof ring === 'string' && ring !== '' ? ring : undefined;
    return { instanceId: given, key, keyRingId, ahead: keyAhead };
  }
}

function isSound(params: Readonly<Record<string, string>>): boolean {
  for (const name in params) if (params[name]?.includes('\0')) return false;
  return true;
}

function read(operation: Operation, request: OperationRequest, target: KeyTarget): Asked<Operation> {
  const params = request.params as Record<string, string>;
  const { prefer: wish } = request.headers;
  const prefer = wish === undefined ? undefined : PREFER.exec(String(wish))?.[1]?.toLowerCase();
  return {
    target,
    params,
    query: readQuery(operation.query, request.query as Record<string, string | string[]>),
    body: readBody(operation.body, request.body as Buffer | undefined),
    prefer: prefer as Asked<Operation>['prefer'],
  };
}

import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Gate } from '../../access/gate.js';
import { projectIdOf } from '../../access-keys/access-key.js';
import type { WithCaller } from '../../http/asked-by.js';
import { originOf } from '../../http/request-origin.js';
import { readBody, readQuery } from './body.js';
import { Identification, type Identity } from './identification.js';
import { type Asked, type Operation, type OperationRequest, operationOf } from './operation.js';
import { HuaweiRefusal } from './refusals.js';

/** What holds for every operation: the caller is known, the project in the path is his, and what he sent can be read. */
@Injectable()
export class Admission implements CanActivate {
  constructor(
    private readonly gate: Gate,
    private readonly identification: Identification,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<OperationRequest>();
    const { caller, ...known } = await this.identification.ofRequest(request);
    const identity = { ...known, caller: { ...caller, request: originOf(request) } };
    Object.assign(request, { caller: identity.caller, instanceId: known.instanceId } satisfies WithCaller);
    const operation = operationOf(request);
    if (operation === undefined) return true;
    try {
      request.asked = read(operation, request, identity);
    } catch (cause) {
      await this.gate.failed(identity.caller, operation.request, { instanceId: identity.instanceId }, cause);
      throw cause;
    }
    return true;
  }
}

function read(operation: Operation, request: OperationRequest, { caller, instanceId }: Identity): Asked {
  const params = request.params as Record<string, string>;
  if (params['project']?.toLowerCase() !== projectIdOf(instanceId)) {
    throw new HuaweiRefusal('KMS.0307', 'The project in the path is not the one of the access key.');
  }
  if (Object.values(params).some((value) => value.includes('\0'))) throw new HuaweiRefusal('KMS.0201', 'a NUL in it');
  if (operation.method !== request.method) throw new HuaweiRefusal('KMS.0215', `${request.method} is not served here.`);
  return {
    caller,
    place: { instanceId },
    params,
    query: readQuery(operation.query, request.originalUrl),
    body: readBody(operation.body, request.body as Buffer | undefined),
  };
}

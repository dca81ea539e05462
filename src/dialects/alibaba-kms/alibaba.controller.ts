import { All, Controller, HttpCode, Req, Res } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../../access/caller.js';
import { Gate } from '../../access/gate.js';
import type { Scope } from '../../access/scope.js';
import type { WithCaller } from '../../http/asked-by.js';
import { clientAddress } from '../../http/client-address.js';
import { originOf } from '../../http/request-origin.js';
import { KeyStore } from '../../keys/key-store.js';
import { KeysteadError } from '../../shared/errors.js';
import { AlibabaAuthentication, type Signer } from './authentication.js';
import { type Call, readCall } from './call.js';
import { isDryRun, rehearsed } from './dry-run.js';
import { answerTo, inAlibabaWords, type Refusals, requestIdOf } from './errors.js';
import { shown } from './key-metadata.js';
import { type Asked, keyOf, type Operation } from './operation.js';
import { OPERATIONS } from './operations.js';
import { readParameters } from './parameters.js';
import { AlibabaError } from './refusals.js';
import { ALIBABA_ROUTE } from './route.js';

const VERSION = '2016-01-20';
const BY_NAME: ReadonlyMap<string, Operation> = new Map(OPERATIONS.map((one) => [one.name, one]));

/** The one route of the RPC style: the caller is found by the signature, the operation by its name. */
@Controller()
export class AlibabaController {
  constructor(
    private readonly authentication: AlibabaAuthentication,
    private readonly gate: Gate,
    private readonly keys: KeyStore,
  ) {}

  @All(ALIBABA_ROUTE)
  @HttpCode(200)
  @RouteConfig({ answerTo })
  async serve(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<object> {
    const requestId = requestIdOf(request.id);
    reply.header('x-acs-request-id', requestId).type('application/json;charset=utf-8');
    const { method, originalUrl: url, headers } = request;
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const call = readCall({ method, url, headers, body });
    const { caller, instanceId } = await this.authentication.authenticate(call, clientAddress(request));
    const operation = operationOf(call);
    const by = { ...caller, request: originOf(request, `/?Action=${operation.name}`) };
    Object.assign(request, { caller: by, instanceId } satisfies WithCaller);
    return { ...(await this.#answer(operation, call, { caller: by, instanceId })), RequestId: requestId };
  }

  async #answer(operation: Operation, call: Call, signer: Signer): Promise<object> {
    const { caller: by, instanceId } = signer;
    const key = keyOf(call.parameters);
    const scope: Scope = key === undefined ? { instanceId } : { instanceId, key };
    try {
      const admitted = () => this.#admit(operation, call, by, scope);
      if (!isDryRun(operation, call)) return await operation.serve(await admitted());
      return await rehearsed(key, async () => this.gate.authorise(by, operation.request, scope), admitted);
    } catch (cause) {
      if (!(cause instanceof KeysteadError)) throw cause;
      // a key that was deleted refuses by its state, but for this API it is not there
      if (cause.code === 'KEY_STATE' && key !== undefined) shown(await this.keys.find({ instanceId, key }));
      throw inItsWords(operation, key, cause);
    }
  }

  /** The parameters as the operation reads them; whether the caller may do it, the gate says at what it then asks. */
  async #admit(operation: Operation, call: Call, by: Caller, scope: Scope): Promise<Asked<unknown>> {
    const { instanceId = '' } = scope;
    try {
      const given = readParameters(operation.parameters, call.parameters);
      const at = (name: string) => ({ instanceId, key: name });
      return { by, instanceId, given, at, ask: (request) => this.gate.ask(by, request) };
    } catch (cause) {
      await this.gate.failed(by, operation.request, scope, cause);
      throw cause;
    }
  }
}

function operationOf({ action, version }: Call): Operation {
  const operation = BY_NAME.get(action);
  if (operation === undefined) throw new AlibabaError('InvalidAction.NotFound');
  if (version !== VERSION) throw new AlibabaError('InvalidVersion', `It must be ${VERSION}.`);
  return operation;
}

/** A code that this operation calls by a name of its own becomes that; every other one is left to the table. */
function inItsWords({ refusals = {} }: Operation, key: string | undefined, error: KeysteadError): KeysteadError {
  const all: Refusals = key?.startsWith('alias/')
    ? { KEY_NOT_FOUND: 'Forbidden.AliasNotFound', ...refusals }
    : refusals;
  return all[error.code] === undefined ? error : inAlibabaWords(error, all);
}

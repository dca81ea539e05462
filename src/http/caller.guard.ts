import { TLSSocket } from 'node:tls';
import { type CanActivate, type ExecutionContext, Injectable, Optional } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Authentication } from '../access/authentication.js';
import { AuditWatch } from '../audit/audit-watch.js';
import { KeyStore } from '../keys/key-store.js';
import { type ReadsKey, type WithCaller, wantsCaller } from './asked-by.js';
import { clientAddress } from './client-address.js';
import { originOf } from './request-origin.js';

/** Finds out who asks, before anything of the request is looked at, on every route that has an `@AskedBy()`. */
@Injectable()
export class CallerGuard implements CanActivate {
  constructor(
    private readonly authentication: Authentication,
    private readonly audit: AuditWatch,
    @Optional() private readonly keys?: KeyStore,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (!wantsCaller(context)) return true;
    const request = context.switchToHttp().getRequest<WithCaller & FastifyRequest>();
    // what could not be audited is not begun: a database that hangs would keep the caller waiting here
    const address = clientAddress(request);
    const asked = this.audit.during(() => this.authentication.authenticate(request.headers, address));
    request.keyAhead = this.#keyAhead(request); // in the same statement
    const caller = await asked;
    const { id, name, roles, scopes, bootstrap = false } = caller; // no spread: docs/decisions/0008
    const certified = isCertified(request);
    request.caller = { id, name, roles, scopes, bootstrap, address, certified, request: originOf(request) };
    return true;
  }

  #keyAhead({ routeOptions, params }: FastifyRequest): WithCaller['keyAhead'] {
    const { readsKey } = routeOptions.config as ReadsKey;
    return readsKey ? this.keys?.ahead((params as { id: string }).id) : undefined;
  }
}

/** Whether the client showed a certificate of the CA in KEYSTEAD_ADMIN_CLIENT_CA_FILE. */
function isCertified({ socket }: FastifyRequest): boolean {
  return socket instanceof TLSSocket && socket.authorized;
}

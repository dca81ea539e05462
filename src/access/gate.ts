import { Inject, Injectable, Optional } from '@nestjs/common';
import { Command, CommandBus, Query, QueryBus } from '@nestjs/cqrs';
import { AuditLog } from '../audit/audit-log.js';
import { AuditWatch } from '../audit/audit-watch.js';
import { Config } from '../config/config.js';
import { KeysteadError, messageOf, needs } from '../shared/errors.js';
import { isAdministrative, PERMISSIONS, type Permission } from '../shared/permissions.js';
import { AccessRules } from './access-rules.js';
import { unauthenticated } from './authentication.js';
import { BOOTSTRAP_LIMIT, type Caller } from './caller.js';
import { RequestMeter } from './request-meter.js';
import { coverAll, coverKey, coverRing, type Grant, grantsFor, type Scope } from './scope.js';

/**
 * What a command or query class says of itself: its permission; the name of its act in the audit log, under which also
 * its failures are recorded; and whether a caller with a part of the instance may ask, since it shows that part only.
 */
export interface RequestClass {
  readonly name: string;
  readonly permission?: Permission;
  readonly act?: string;
  readonly partial?: boolean;
  /** Whether the bootstrap key of a production server may ask. */
  readonly byBootstrap?: boolean;
}

const CERTIFICATE_NEEDED =
  'needs a client certificate of the CA in KEYSTEAD_ADMIN_CLIENT_CA_FILE besides the API key; with kp: set KP_CLIENT_CERT_FILE and KP_CLIENT_KEY_FILE';

/** A request that a grant can allow says which operation it is. */
interface GrantableRequest {
  readonly operation?: string | undefined;
}

/** What a request that is not plainly allowed is judged by. */
interface Asked {
  readonly permission: Permission;
  /** The instance's policies let the caller in from where it is. */
  readonly admitted: boolean | Promise<boolean>;
  readonly lacksCertificate: boolean;
  readonly isBootstrap: boolean;
  /** That carry the permission in the instance, or in a part of it. */
  readonly grants: readonly Grant[];
  readonly operation: string | undefined;
}

/**
 * The one door to the commands and queries, whichever wire they were asked on. It checks the permission that the class
 * states, in the scope that the request is about, and a refusal is durable in the audit log before it is answered.
 */
@Injectable()
export class Gate {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly audit: AuditLog,
    private readonly watch: AuditWatch,
    private readonly meter: RequestMeter,
    private readonly config: Config,
    @Inject(AccessRules) @Optional() private readonly rules?: AccessRules,
  ) {}

  /**
   * What the handler answers. FORBIDDEN when no role of the caller grants the permission there; AUDIT_UNAVAILABLE while
   * nothing can be written to the audit log; otherwise the handler's errors.
   */
  ask<T>(caller: Caller, request: Command<T> | Query<T>): Promise<T> {
    return this.watch.during(() => this.#measured(caller, request, scopesOf(request)));
  }

  /** Requests about an instance count where its policy says so; all others always. */
  #measured<T>(caller: Caller, request: Command<T> | Query<T>, scopes: readonly Scope[]): Promise<T> {
    const instanceId = scopes[0]?.instanceId;
    const counts = instanceId === undefined || (this.rules?.measures(instanceId) ?? false);
    if (counts === false) return this.#ask(caller, request, scopes);
    return this.#counted(request, instanceId, counts, () => this.#ask(caller, request, scopes));
  }

  async #counted<T>(
    request: Command<T> | Query<T>,
    instanceId: string | undefined,
    counts: boolean | Promise<boolean>,
    work: () => Promise<T>,
  ): Promise<T> {
    if (!(await counts)) return work();
    const type = request.constructor as RequestClass;
    const act = type.act ?? type.permission ?? type.name;
    const began = performance.now();
    const note = (outcome: string) => this.meter.note(act, instanceId, outcome, (performance.now() - began) / 1_000);
    try {
      const answer = await work();
      note('success');
      return answer;
    } catch (cause) {
      note(cause instanceof KeysteadError ? cause.code : 'INTERNAL');
      throw cause;
    }
  }

  async #ask<T>(caller: Caller, request: Command<T> | Query<T>, scopes: readonly Scope[]): Promise<T> {
    const type = request.constructor as RequestClass;
    const { operation } = request as GrantableRequest;
    for (const scope of scopes) {
      const waits = this.#authorise(caller, type, scope, operation);
      if (waits !== undefined) await waits;
    }
    if (type.act === undefined) return this.#execute(request);
    try {
      return await this.#execute(request);
    } catch (cause) {
      await this.failed(caller, type, scopes[0] ?? {}, cause);
      throw cause;
    }
  }

  /**
   * Throws FORBIDDEN unless the caller may ask this there. For edges that must refuse before they read a body. It waits for
   * nothing when all that decides is at hand.
   */
  authorise(caller: Caller, type: RequestClass, scope: Scope, operation?: string): void | Promise<void> {
    return this.watch.during(() => this.#authorise(caller, type, scope, operation));
  }

  #authorise(caller: Caller, type: RequestClass, scope: Scope, operation: string | undefined): void | Promise<void> {
    const { permission } = type;
    needs(permission !== undefined, 'INTERNAL', `${type.name} states no permission`);
    const { instanceId } = scope;
    const admitted =
      instanceId === undefined ||
      caller.address === undefined ||
      (this.rules?.admits(instanceId, caller.address) ?? true);
    const lacksCertificate = this.#wantsCertificate(permission) && !caller.certified;
    const isBootstrap = caller.bootstrap === true && type.byBootstrap !== true;
    const grants = lacksCertificate || isBootstrap ? [] : grantsFor(caller, permission, instanceId);
    if (admitted === true && coverAll(grants)) return;
    return this.#authoriseInPart(caller, type, scope, {
      permission,
      admitted,
      lacksCertificate,
      isBootstrap,
      grants,
      operation,
    });
  }

  async #authoriseInPart(caller: Caller, type: RequestClass, scope: Scope, asked: Asked): Promise<void> {
    const { permission, lacksCertificate, isBootstrap, grants } = asked;
    if (!(await asked.admitted)) {
      await this.#record(caller, type, scope, { refused: 'UNAUTHENTICATED', why: 'address' });
      throw unauthenticated();
    }
    if (await this.#isGranted(grants, type, scope)) return;
    if (await this.#isGrantedByGrant(caller, scope, asked.operation)) return;
    await this.#record(caller, type, scope, {
      refused: 'FORBIDDEN',
      request: type.name,
      caller: caller.id,
      roles: caller.roles,
      scopes: caller.scopes,
    });
    needs(!lacksCertificate, 'FORBIDDEN', `${permission} ${CERTIFICATE_NEEDED}`);
    needs(!isBootstrap, 'FORBIDDEN', BOOTSTRAP_LIMIT);
    const held = [...caller.roles, ...caller.scopes.map(({ role }) => `${role} in part`)].join(', ') || 'none';
    throw new KeysteadError(
      'FORBIDDEN',
      `${permission} needs one of the roles ${PERMISSIONS[permission].join(', ')} here; this key has ${held}`,
    );
  }

  #wantsCertificate(permission: Permission): boolean {
    return this.config.tls?.clientCaFile !== undefined && isAdministrative(permission);
  }

  /** Puts a failure under the request's name into the audit log; an edge calls it for a body that it could not read. */
  async failed(caller: Caller, type: RequestClass, scope: Scope, cause: unknown): Promise<void> {
    const code = cause instanceof KeysteadError ? cause.code : 'INTERNAL';
    if (code === 'DATABASE_UNAVAILABLE' || code === 'AUDIT_UNAVAILABLE') return; // it could not be written either
    const message = cause instanceof KeysteadError ? messageOf(cause) : undefined;
    await this.#record(caller, type, scope, { refused: code, message });
  }

  #execute<T>(request: Command<T> | Query<T>): Promise<T> {
    return request instanceof Command ? this.commands.execute(request) : this.queries.execute(request);
  }

  async #isGranted(grants: readonly Grant[], type: RequestClass, scope: Scope): Promise<boolean> {
    const { instanceId, keyRingId, key } = scope;
    if (grants.length === 0 || coverAll(grants)) return grants.length > 0;
    if (type.partial && key === undefined) return true;
    if (key !== undefined && instanceId !== undefined) {
      const place = await this.rules?.placeOf(instanceId, key);
      return place !== undefined && coverKey(grants, place);
    }
    return keyRingId !== undefined && coverRing(grants, keyRingId);
  }

  /** A grant on one key lets its grantee do what it names, without any role. */
  async #isGrantedByGrant(caller: Caller, { instanceId, key }: Scope, operation: string | undefined): Promise<boolean> {
    if (operation === undefined || instanceId === undefined || key === undefined || !this.rules) return false;
    return this.rules.isGranted(instanceId, key, caller.id, operation);
  }

  #record(caller: Caller, type: RequestClass, scope: Scope, detail: object): Promise<void> {
    return this.audit.record({
      act: type.act ?? type.permission ?? type.name,
      outcome: 'failure',
      by: caller,
      instanceId: scope.instanceId,
      unitId: Reflect.get(scope, 'unitId'),
      target: scope.key,
      detail,
    });
  }
}

/** What the request is about: its `scope`, or the instance and unit among its members. */
function scopesOf(request: object): readonly Scope[] {
  const scope = Reflect.get(request, 'scope') as Scope | readonly Scope[] | undefined;
  if (scope !== undefined) return Array.isArray(scope) ? scope : [scope as Scope];
  const text = (field: string): string | undefined => {
    const value: unknown = Reflect.get(request, field);
    return typeof value === 'string' ? value : undefined;
  };
  return [{ instanceId: text('instanceId'), ...{ unitId: text('unitId') } }];
}

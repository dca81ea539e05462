import { Injectable } from '@nestjs/common';
import { Command, CommandBus, Query, QueryBus } from '@nestjs/cqrs';
import { AuditLog } from '../audit/audit-log.js';
import { KeysteadError, needs } from '../shared/errors.js';
import { grants, PERMISSIONS, type Permission } from '../shared/permissions.js';
import type { Caller } from './caller.js';

/** A command or query class states its permission: `static readonly permission: Permission = 'instance.read'`. */
interface WithPermission {
  readonly permission?: Permission;
}

/**
 * The one door to the commands and queries, whichever wire they were asked on. It checks the permission that the class
 * states, and a refusal is durable in the audit log before it is answered.
 */
@Injectable()
export class Gate {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly audit: AuditLog,
  ) {}

  /** What the handler answers. FORBIDDEN when no role of the caller grants the permission; otherwise the handler's errors. */
  async ask<T>(caller: Caller, request: Command<T> | Query<T>): Promise<T> {
    const { permission } = request.constructor as WithPermission;
    needs(permission !== undefined, 'INTERNAL', `${request.constructor.name} states no permission`);
    if (!grants(caller.roles, permission)) {
      await this.#refuse(caller, permission, request);
    }
    return request instanceof Command ? this.commands.execute(request) : this.queries.execute(request);
  }

  async #refuse(caller: Caller, permission: Permission, request: object): Promise<never> {
    await this.audit.record({
      act: permission,
      outcome: 'failure',
      by: caller.name,
      instanceId: textIn(request, 'instanceId'),
      unitId: textIn(request, 'unitId'),
      detail: { refused: 'FORBIDDEN', request: request.constructor.name, caller: caller.id, roles: caller.roles },
    });
    throw new KeysteadError(
      'FORBIDDEN',
      `${permission} needs one of the roles ${PERMISSIONS[permission].join(', ')}; this key has ${caller.roles.join(', ') || 'none'}`,
    );
  }
}

function textIn(request: object, field: string): string | undefined {
  const value: unknown = Reflect.get(request, field);
  return typeof value === 'string' ? value : undefined;
}

import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { readAdminKey } from '../admins/public-key.js';
import type { Initiator } from '../audit/audit-entry.js';
import { KeysteadError } from '../shared/errors.js';
import type { Permission } from '../shared/permissions.js';
import type { UnitState } from '../shared/unit-state.js';
import { Fleet } from './fleet.js';
import { Operations } from './operations.js';

/** Take ownership: the caller's certificate (or bare RSA public key, PEM) becomes the unit's first administrator, ADMIN. */
export class ClaimUnit extends Command<{ receipt: string; state: UnitState }> {
  static readonly permission: Permission = 'crypto-unit.claim';
  constructor(
    readonly by: Initiator,
    readonly unitId: string,
    readonly plan: string,
    readonly certificate: string,
  ) {
    super();
  }
}

@CommandHandler(ClaimUnit)
export class ClaimUnitHandler implements ICommandHandler<ClaimUnit> {
  constructor(
    private readonly operations: Operations,
    private readonly fleet: Fleet,
  ) {}

  async execute({ by, unitId, plan, certificate }: ClaimUnit): Promise<{ receipt: string; state: UnitState }> {
    readAdminKey(certificate); // a key that could never sign is refused before anything is written down
    await this.fleet.catchUp();
    const { instanceId } = this.fleet.unit(unitId);
    const units = [{ id: unitId, document: 0 }];
    const view = await this.operations.carryOut({
      id: plan,
      op: 'claim',
      instanceId,
      documents: [certificate],
      units,
      by,
    });
    const [result] = view.units;
    if (result?.error != null) throw new KeysteadError(result.error.code, result.error.message);
    if (result?.receipt == null) throw new KeysteadError('UNIT_UNREACHABLE', `crypto unit ${unitId} gave no receipt`);
    return { receipt: result.receipt, state: this.fleet.view(unitId).state };
  }
}

import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, type EntityManager, In, IsNull } from 'typeorm';
import type { Initiator } from '../audit/audit-entry.js';
import { AuditLog } from '../audit/audit-log.js';
import { newUnit } from '../instances/create-instance.command.js';
import { CryptoUnit } from '../instances/crypto-unit.entity.js';
import { Instance } from '../instances/instance.entity.js';
import { ProviderSource } from '../instances/providers.js';
import { KeysteadError, needs } from '../shared/errors.js';
import type { Permission } from '../shared/permissions.js';
import { Fleet } from './fleet.js';
import { OperationUnit } from './operation.entity.js';
import { theInstance } from './read-units.query.js';
import type { UnitView } from './unit-view.js';

/** Takes a unit out of use, or back into it. At most one unit of an instance is in maintenance. */
export class SetMaintenance extends Command<UnitView> {
  static readonly permission: Permission = 'crypto-unit.maintenance';
  constructor(
    readonly by: Initiator,
    readonly unitId: string,
    readonly on: boolean,
  ) {
    super();
  }
}

@CommandHandler(SetMaintenance)
export class SetMaintenanceHandler implements ICommandHandler<SetMaintenance> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
    private readonly fleet: Fleet,
  ) {}

  async execute({ by, unitId, on }: SetMaintenance): Promise<UnitView> {
    await this.fleet.catchUp();
    const { instanceId } = this.fleet.unit(unitId);
    await this.db.transaction(async (tx) => {
      const units = await siblingsLocked(tx, instanceId);
      const other = units.find((unit) => unit.maintenance && unit.id !== unitId);
      if (on && other !== undefined) {
        throw new KeysteadError(
          'UNIT_IN_MAINTENANCE',
          `crypto unit ${other.id} is in maintenance, and only one unit of an instance may be; first: kp crypto-unit maintenance ${other.id} --off`,
        );
      }
      await tx.update(CryptoUnit, { id: unitId }, { maintenance: on });
      await this.audit.append(tx, {
        act: 'crypto-unit.maintenance',
        outcome: 'success',
        by,
        instanceId,
        unitId,
        detail: { on },
      });
    });
    await this.fleet.reconcile();
    return this.fleet.view(unitId);
  }
}

/**
 * Puts a new unit, `reserved`, in the place of one that is lost. A unit that still answers is zeroized instead. One that
 * is silent may come back: whoever knows that it will not says so with `lost`.
 */
export class ReplaceUnit extends Command<UnitView> {
  static readonly permission: Permission = 'crypto-unit.replace';
  constructor(
    readonly by: Initiator,
    readonly unitId: string,
    readonly lost: boolean,
  ) {
    super();
  }
}

@CommandHandler(ReplaceUnit)
export class ReplaceUnitHandler implements ICommandHandler<ReplaceUnit> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
    private readonly fleet: Fleet,
    private readonly providers: ProviderSource,
  ) {}

  async execute({ by, unitId, lost: gone }: ReplaceUnit): Promise<UnitView> {
    await this.fleet.catchUp();
    const lost = this.fleet.view(unitId);
    if (!isLost(lost) && !isQuarantined(lost) && !(gone && isSilent(lost))) {
      const way = isSilent(lost)
        ? `does not answer; if it is lost for good: kp crypto-unit replace ${unitId} --lost`
        : `is not lost; to empty it: kp crypto-unit zeroize --id ${unitId}`;
      throw new KeysteadError('UNIT_STATE', `crypto unit ${unitId} ${way}`);
    }
    const made = await this.db.transaction(async (tx) => {
      const units = await siblingsLocked(tx, lost.instanceId);
      const old = units.find((unit) => unit.id === unitId);
      if (old === undefined) throw new KeysteadError('UNIT_NOT_FOUND', `crypto unit ${unitId} was replaced already`);
      const taken = await tx.findBy(CryptoUnit, { retiredAt: IsNull() });
      const [free] = await this.providers.take(1, taken, unitId);
      if (free === undefined) throw new KeysteadError('NO_UNIT_AVAILABLE', 'the provider has no free unit');
      const { zone } = free.descriptor.provider === 'softhsm' ? old.descriptor : free.descriptor;
      const placed = { id: free.id, descriptor: { ...free.descriptor, zone } };
      const unit = newUnit(old.instanceId, old.ordinal, placed, new Date());
      await tx.update(CryptoUnit, { id: unitId }, { retiredAt: new Date() });
      await tx.save(CryptoUnit, unit);
      await this.audit.append(tx, {
        act: 'crypto-unit.replace',
        outcome: 'success',
        by,
        instanceId: old.instanceId,
        unitId,
        target: unit.id,
        detail: { serial: old.serial, conditions: lost.conditions },
      });
      return unit;
    });
    await this.fleet.reconcile();
    return this.fleet.view(made.id);
  }
}

/** Ends an instance whose units are all `reserved` again, or lost. INSTANCE_STATE otherwise. */
export class DeleteInstance extends Command<void> {
  static readonly permission: Permission = 'instance.delete';
  constructor(
    readonly by: Initiator,
    readonly instanceId: string,
  ) {
    super();
  }
}

@CommandHandler(DeleteInstance)
export class DeleteInstanceHandler implements ICommandHandler<DeleteInstance> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
    private readonly fleet: Fleet,
  ) {}

  async execute({ by, instanceId }: DeleteInstance): Promise<void> {
    await this.fleet.catchUp();
    await theInstance(this.fleet, instanceId);
    await this.db.transaction(async (tx) => {
      await tx.findOne(Instance, { where: { id: instanceId }, lock: { mode: 'pessimistic_write' } }); // as Preconditions
      await this.#assertGivenBack(tx, instanceId);
      await siblingsLocked(tx, instanceId);
      const now = new Date();
      await tx.update(Instance, { id: instanceId }, { deletedAt: now });
      await tx.update(CryptoUnit, { instanceId, retiredAt: IsNull() }, { retiredAt: now });
      await this.audit.append(tx, { act: 'instance.delete', outcome: 'success', by, instanceId });
    });
    await this.fleet.reconcile();
  }

  /** No unit is claimed, or is being claimed at this moment. */
  async #assertGivenBack(tx: EntityManager, instanceId: string): Promise<void> {
    const views = this.fleet.views(instanceId);
    const held = views.filter((view) => view.state !== 'reserved' && !isLost(view));
    if (held.length > 0) {
      throw new KeysteadError(
        'INSTANCE_STATE',
        `units of the instance are still claimed: ${held.map((view) => `${view.id} (${view.state})`).join(', ')}; 'kp instance delete' zeroizes them when it gets --auth`,
      );
    }
    const begun = await tx.existsBy(OperationUnit, { unitId: In(views.map((view) => view.id)), outcome: 'pending' });
    needs(!begun, 'INSTANCE_STATE', 'an operation on units of the instance is under way; try again in a moment');
  }
}

/** The instance's units, none of which changes before the transaction ends. */
function siblingsLocked(tx: EntityManager, instanceId: string): Promise<CryptoUnit[]> {
  return tx.find(CryptoUnit, {
    where: { instanceId, retiredAt: IsNull() },
    lock: { mode: 'pessimistic_write' },
    order: { ordinal: 'ASC' },
  });
}

function isLost(view: UnitView): boolean {
  return view.conditions.some(({ type, reason }) => type === 'Reachable' && reason === 'TokenLost');
}

function isQuarantined(view: UnitView): boolean {
  return view.conditions.some(
    ({ type, status, reason }) => type === 'Quarantined' && status === 'True' && reason !== 'DatabaseRolledBack',
  );
}

function isSilent(view: UnitView): boolean {
  return view.conditions.some(({ type, status }) => type === 'Reachable' && status !== 'True');
}

import { randomUUID } from 'node:crypto';
import { Command, CommandHandler, EventBus, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, IsNull } from 'typeorm';
import type { Initiator } from '../audit/audit-entry.js';
import { AuditLog } from '../audit/audit-log.js';
import { KeysteadError } from '../shared/errors.js';
import type { Permission } from '../shared/permissions.js';
import { CryptoUnit } from './crypto-unit.entity.js';
import { Instance } from './instance.entity.js';
import { ProviderSource, type TakenUnit } from './providers.js';

/** Units were taken or given back: whoever runs agents may look at once instead of at its next round. */
export class UnitsChanged {}

/** Takes units from the provider for a new instance. They are made ready in the background: state `in progress`. */
export class CreateInstance extends Command<Instance> {
  static readonly permission: Permission = 'instance.create';
  constructor(
    readonly by: Initiator,
    readonly name: string,
    readonly cryptoUnits: 2 | 3,
  ) {
    super();
  }
}

@CommandHandler(CreateInstance)
export class CreateInstanceHandler implements ICommandHandler<CreateInstance> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
    private readonly providers: ProviderSource,
    private readonly events: EventBus,
  ) {}

  async execute({ by, name, cryptoUnits }: CreateInstance): Promise<Instance> {
    const instance = await this.db.transaction(async (tx) => {
      await tx.query(`SELECT pg_advisory_xact_lock(hashtext('keystead/instances'))`); // one taker of units and names at a time
      if (await tx.existsBy(Instance, { name, deletedAt: IsNull() })) {
        throw new KeysteadError('INSTANCE_STATE', `an instance named ${name} exists already; choose another name`);
      }
      const taken = await tx.findBy(CryptoUnit, { retiredAt: IsNull() });
      const units = await this.providers.take(cryptoUnits, taken);
      const createdAt = new Date();
      const made = { id: randomUUID(), name, cryptoUnits, createdAt, mkvp: null, deletedAt: null };
      await tx.insert(Instance, made);
      await tx.save(
        CryptoUnit, // an agent whose unit was given back by another instance has a row already
        units.map((unit, ordinal) => newUnit(made.id, ordinal, unit, createdAt)),
      );
      await this.audit.append(tx, {
        act: 'instance.create',
        outcome: 'success',
        by,
        instanceId: made.id,
        target: name,
        detail: { cryptoUnits },
      });
      return made;
    });
    this.events.publish(new UnitsChanged());
    return instance;
  }
}

/** The row of a unit that was just taken: nothing is known of its token yet. */
export function newUnit(
  instanceId: string,
  ordinal: number,
  { id, descriptor }: TakenUnit,
  createdAt: Date,
): CryptoUnit {
  return {
    id,
    instanceId,
    ordinal,
    descriptor,
    serial: null,
    claimedEpoch: null,
    receiptKey: null,
    lastRecord: null,
    seenAt: null,
    capabilities: null,
    maintenance: false,
    createdAt,
    retiredAt: null,
  };
}

import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource, In, IsNull } from 'typeorm';
import { KeysteadError } from '../shared/errors.js';
import type { Permission } from '../shared/permissions.js';
import { CryptoUnit } from './crypto-unit.entity.js';
import { Instance } from './instance.entity.js';

export interface InstanceWithUnits {
  readonly instance: Instance;
  readonly units: readonly CryptoUnit[];
}

/** One instance, or every instance, with its units in their order. INSTANCE_NOT_FOUND for an id that is not one. */
export class ReadInstances extends Query<InstanceWithUnits[]> {
  static readonly permission: Permission = 'instance.read';
  constructor(readonly id?: string) {
    super();
  }
}

@QueryHandler(ReadInstances)
export class ReadInstancesHandler implements IQueryHandler<ReadInstances> {
  constructor(private readonly db: DataSource) {}

  async execute({ id }: ReadInstances): Promise<InstanceWithUnits[]> {
    const instances = await this.db.manager.find(Instance, {
      where: { deletedAt: IsNull(), ...(id !== undefined && { id }) },
      order: { createdAt: 'ASC' },
    });
    if (id !== undefined && instances.length === 0) throw noInstance(id);
    const units = await this.db.manager.find(CryptoUnit, {
      where: { instanceId: In(instances.map((instance) => instance.id)), retiredAt: IsNull() },
      order: { ordinal: 'ASC' },
    });
    return instances.map((instance) => ({ instance, units: units.filter((unit) => unit.instanceId === instance.id) }));
  }
}

export function noInstance(id: string): KeysteadError {
  return new KeysteadError(
    'INSTANCE_NOT_FOUND',
    `there is no instance ${id}; 'kp instance list' shows those there are`,
  );
}

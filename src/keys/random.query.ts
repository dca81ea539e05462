import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { AuditLog } from '../audit/audit-log.js';
import { UnitPicker } from '../crypto-units/unit-picker.js';
import type { Permission } from '../shared/permissions.js';
import { assertWhole } from './key-rules.js';
import type { Place } from './key-target.js';

const MOST_BYTES = 4_096;

/** So many random bytes of a unit's generator, 1 to 4,096. FIELD_INVALID. */
export class Random extends Query<Buffer> {
  static readonly permission: Permission = 'key.use';
  static readonly act = 'kms.random.generate';
  static readonly partial = true;
  constructor(
    readonly by: Caller,
    readonly target: Place,
    readonly bytes: number,
  ) {
    super();
  }

  get scope(): Scope {
    return { instanceId: this.target.instanceId };
  }
}

@QueryHandler(Random)
export class RandomHandler implements IQueryHandler<Random> {
  constructor(
    private readonly units: UnitPicker,
    private readonly audit: AuditLog,
  ) {}

  async execute({ by, target: { instanceId }, bytes }: Random): Promise<Buffer> {
    assertWhole('bytes', bytes, 1, MOST_BYTES);
    const { unitId, result } = await this.units.use(instanceId, (unit) => unit.random(bytes));
    await this.audit.record({
      act: Random.act,
      outcome: 'success',
      by,
      instanceId,
      unitId,
      detail: { bytes },
    });
    return result;
  }
}

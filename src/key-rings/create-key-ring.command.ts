import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { type Caller, iamIdOf } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { AuditLog } from '../audit/audit-log.js';
import { Config } from '../config/config.js';
import { KeysteadError } from '../shared/errors.js';
import type { Permission } from '../shared/permissions.js';
import { KeyRing } from './key-ring.entity.js';
import type { KeyRingView } from './key-ring-view.js';
import { assertRingId } from './ring-rules.js';

/** Makes a key ring: 2 to 100 of A-Z a-z 0-9 _ -, not `default`. KEY_RING_EXISTS, KEY_RING_QUOTA. */
export class CreateKeyRing extends Command<KeyRingView> {
  static readonly permission: Permission = 'key-ring.create';
  static readonly act = 'kms.key-rings.create';
  constructor(
    readonly by: Caller,
    readonly target: { readonly instanceId: string },
    readonly id: string,
  ) {
    super();
  }

  get scope(): Scope {
    return { instanceId: this.target.instanceId };
  }
}

@CommandHandler(CreateKeyRing)
export class CreateKeyRingHandler implements ICommandHandler<CreateKeyRing> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
    private readonly config: Config,
  ) {}

  execute({ by, target: { instanceId }, id }: CreateKeyRing): Promise<KeyRingView> {
    assertRingId(id);
    const most = this.config.limits.keyRings;
    return this.db.transaction(async (tx) => {
      await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, [`keystead/key-rings/${instanceId}`]);
      if (await tx.existsBy(KeyRing, { instanceId, id })) {
        throw new KeysteadError('KEY_RING_EXISTS', `there is a key ring ${id} already; choose another id`);
      }
      if (most > 0 && (await tx.countBy(KeyRing, { instanceId })) >= most) {
        throw new KeysteadError('KEY_RING_QUOTA', `an instance may have ${most} key rings; delete one that is empty`);
      }
      const ring = { id, createdBy: iamIdOf(by), createdAt: new Date() };
      await tx.insert(KeyRing, { ...ring, instanceId });
      await this.audit.append(tx, { act: CreateKeyRing.act, outcome: 'success', by, instanceId, target: id });
      return ring;
    });
  }
}

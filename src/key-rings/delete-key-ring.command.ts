import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { AuditLog } from '../audit/audit-log.js';
import { KeysteadError } from '../shared/errors.js';
import type { Permission } from '../shared/permissions.js';
import { KeyRing } from './key-ring.entity.js';
import { RingContents } from './ring-contents.js';
import { assertRingId, noRing } from './ring-rules.js';

/** Removes an empty key ring; with `force` also one whose keys are all destroyed: they move to `default`. */
export class DeleteKeyRing extends Command<void> {
  static readonly permission: Permission = 'key-ring.delete';
  static readonly act = 'kms.key-rings.delete';
  constructor(
    readonly by: Caller,
    readonly target: { readonly instanceId: string },
    readonly id: string,
    readonly options: { readonly force?: boolean | undefined } = {},
  ) {
    super();
  }

  get scope(): Scope {
    return { instanceId: this.target.instanceId, keyRingId: this.id };
  }
}

@CommandHandler(DeleteKeyRing)
export class DeleteKeyRingHandler implements ICommandHandler<DeleteKeyRing> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
    private readonly contents: RingContents,
  ) {}

  async execute({ by, target: { instanceId }, id, options }: DeleteKeyRing): Promise<void> {
    assertRingId(id);
    await this.db.transaction(async (tx) => {
      const ring = await tx.findOne(KeyRing, { where: { instanceId, id }, lock: { mode: 'pessimistic_write' } });
      if (ring === null) throw noRing(id);
      const { all, alive } = await this.contents.count(tx, instanceId, id);
      if (all > 0 && !options.force) {
        throw new KeysteadError('KEY_RING_NOT_EMPTY', `key ring ${id} contains at least one key (in any state)`);
      }
      if (alive > 0) {
        throw new KeysteadError(
          'KEY_RING_KEYS_NOT_DELETED',
          `key ring ${id} has ${alive} key(s) that are not deleted; delete them or move them to another ring`,
        );
      }
      if (all > 0) await this.contents.moveToDefault(tx, by, instanceId, id);
      await tx.delete(KeyRing, { instanceId, id });
      const detail = { force: options.force ?? false, moved: all };
      await this.audit.append(tx, {
        act: DeleteKeyRing.act,
        outcome: 'success',
        by,
        instanceId,
        target: id,
        detail,
      });
    });
  }
}

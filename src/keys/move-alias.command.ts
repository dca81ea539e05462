import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { type Caller, iamIdOf } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { AuditLog } from '../audit/audit-log.js';
import { KeysteadError, needs } from '../shared/errors.js';
import type { Permission } from '../shared/permissions.js';
import { type Key, KeyAlias } from './key.entity.js';
import { ALIAS_RULES } from './key-rules.js';
import { assertAllowed } from './key-state.js';
import { KeyStore } from './key-store.js';
import type { KeyTarget } from './key-target.js';
import { KeyUnits } from './key-units.js';
import type { AliasView } from './key-view.js';
import { toldKey } from './told-keys.js';

/** Gives an alias of one key to another key of the instance. ALIAS_NOT_FOUND, DELETION_PENDING for that key. */
export class MoveAlias extends Command<AliasView> {
  static readonly permission: Permission = 'key-alias.write';
  static readonly act = 'kms.secrets-alias.move';
  constructor(
    readonly by: Caller,
    /** The key that is to have it. */
    readonly target: KeyTarget,
    readonly alias: string,
  ) {
    super();
  }

  get scope(): readonly Scope[] {
    return [this.target, { instanceId: this.target.instanceId, key: this.alias }];
  }
}

@CommandHandler(MoveAlias)
export class MoveAliasHandler implements ICommandHandler<MoveAlias> {
  constructor(
    private readonly db: DataSource,
    private readonly store: KeyStore,
    private readonly units: KeyUnits,
    private readonly audit: AuditLog,
  ) {}

  async execute({ by, target, alias }: MoveAlias): Promise<AliasView> {
    const { instanceId } = target;
    const to = await this.store.find(target);
    const fromId = await this.store.idOf(instanceId, alias);
    if (fromId === undefined) throw noAlias(alias);
    const row = { alias, createdBy: iamIdOf(by), createdAt: new Date() };
    if (fromId === to.id) return { keyId: to.id, ...row };
    await this.db.transaction(async (tx) => {
      const ids = [fromId, to.id].sort(); // both locked in one order, against deadlocks
      const keys: Key[] = [];
      for (const key of ids) keys.push(await this.store.lock(tx, { instanceId, key }));
      const [before, after] = keys[0]?.id === fromId ? keys : keys.reverse();
      if (before === undefined || after === undefined || !before.aliases.includes(alias)) throw noAlias(alias);
      const now = row.createdAt;
      assertAllowed('add an alias to', after, now);
      needs(after.aliases.length < ALIAS_RULES.most, 'ALIAS_QUOTA', `a key may have ${ALIAS_RULES.most} aliases`);
      const kept = before.aliases.filter((one) => one !== alias);
      await this.units.change(tx, before, { aliases: kept, updatedAt: now });
      await this.units.change(tx, after, { aliases: [...after.aliases, alias], updatedAt: now });
      await tx.update(KeyAlias, { instanceId, alias }, { keyId: after.id, createdBy: row.createdBy, createdAt: now });
      for (const { id } of [before, after]) {
        await this.audit.append(tx, {
          act: MoveAlias.act,
          outcome: 'success',
          by,
          instanceId,
          target: id,
          detail: { alias, initialValue: { keyId: before.id }, newValue: { keyId: after.id } },
          row: await toldKey(tx, id),
        });
      }
    });
    return { keyId: to.id, ...row };
  }
}

function noAlias(alias: string): KeysteadError {
  return new KeysteadError('ALIAS_NOT_FOUND', `no key of this instance has the alias ${alias}`);
}

import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type EntityManager, In } from 'typeorm';
import { type Caller, iamIdOf } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { Config } from '../config/config.js';
import type { Permission } from '../shared/permissions.js';
import { type Key, KeyAlias } from './key.entity.js';
import { KeyActs } from './key-acts.js';
import { KeyQuota } from './key-quota.js';
import { assertAliases, assertDescription, assertName } from './key-rules.js';
import { assertAllowed } from './key-state.js';
import type { KeyTarget } from './key-target.js';
import { KeyUnits } from './key-units.js';
import type { KeyView } from './key-view.js';
import { keyViewOf } from './key-view-of.js';

/** What changes; absent members stay. */
export interface KeyChanges {
  /** 1 to 255 characters. */
  readonly name?: string | undefined;
  /** Up to 8,192 characters; null: none. */
  readonly description?: string | null | undefined;
  /** All of them: those that are not here are gone. ALIAS_EXISTS, ALIAS_QUOTA. */
  readonly aliases?: readonly string[] | undefined;
}

/** Changes what a key is called. DELETION_PENDING. */
export class UpdateKey extends Command<KeyView> {
  static readonly permission: Permission = 'key.update';
  static readonly act = 'kms.secrets.update';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly input: KeyChanges,
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }
}

@CommandHandler(UpdateKey)
export class UpdateKeyHandler implements ICommandHandler<UpdateKey> {
  constructor(
    private readonly acts: KeyActs,
    private readonly units: KeyUnits,
    private readonly quota: KeyQuota,
    private readonly config: Config,
  ) {}

  async execute({ by, target, input }: UpdateKey): Promise<KeyView> {
    const { name, description, aliases } = input;
    if (name !== undefined) assertName(name);
    if (description !== undefined) assertDescription(description);
    if (aliases !== undefined) assertAliases(aliases);
    const after = await this.acts.run({ by, act: UpdateKey.act }, target, async (tx, key, now) => {
      assertAllowed('update', key, now);
      if (aliases !== undefined) await this.#rename(tx, key, aliases, by, now);
      const next = await this.units.change(tx, key, {
        name: name ?? key.name,
        description: description === undefined ? key.description : description,
        aliases: aliases === undefined ? key.aliases : [...aliases],
        updatedAt: now,
      });
      return { key: next, detail: { initialValue: shown(key), newValue: shown(next) } };
    });
    return keyViewOf(after, this.config.timers, new Date());
  }

  async #rename(tx: EntityManager, key: Key, aliases: readonly string[], by: Caller, now: Date): Promise<void> {
    const gone = key.aliases.filter((alias) => !aliases.includes(alias));
    const added = aliases.filter((alias) => !key.aliases.includes(alias));
    const { id: keyId, instanceId } = key;
    if (gone.length > 0) await tx.delete(KeyAlias, { instanceId, keyId, alias: In(gone) });
    if (added.length > 0) await this.quota.assertAliasRoom(tx, instanceId, added.length);
    await this.quota.takeAliases(tx, key, added, iamIdOf(by), now);
  }
}

function shown({ name, aliases }: Key): object {
  return { name, aliases };
}

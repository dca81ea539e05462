import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type Caller, iamIdOf } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { KeysteadError } from '../shared/errors.js';
import type { Permission } from '../shared/permissions.js';
import { KeyAlias } from './key.entity.js';
import { KeyActs } from './key-acts.js';
import { KeyQuota } from './key-quota.js';
import { ALIAS_RULES, type AliasRules } from './key-rules.js';
import { assertAllowed } from './key-state.js';
import type { KeyTarget } from './key-target.js';
import { KeyUnits } from './key-units.js';
import type { AliasView } from './key-view.js';

/** Gives a key one more name; it works in place of the id from then on. ALIAS_EXISTS, ALIAS_QUOTA. */
export class CreateAlias extends Command<AliasView> {
  static readonly permission: Permission = 'key-alias.write';
  static readonly act = 'kms.secrets-alias.create';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly alias: string,
    readonly rules: AliasRules = ALIAS_RULES,
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }
}

@CommandHandler(CreateAlias)
export class CreateAliasHandler implements ICommandHandler<CreateAlias> {
  constructor(
    private readonly acts: KeyActs,
    private readonly units: KeyUnits,
    private readonly quota: KeyQuota,
  ) {}

  async execute({ by, target, alias, rules }: CreateAlias): Promise<AliasView> {
    rules.assert(alias);
    const made = { alias, createdBy: iamIdOf(by), createdAt: new Date() };
    const key = await this.acts.run({ by, act: CreateAlias.act }, target, async (tx, found, now) => {
      assertAllowed('add an alias to', found, now);
      if (found.aliases.length >= rules.most) {
        throw new KeysteadError('ALIAS_QUOTA', `a key may have ${rules.most} aliases; delete one of them`);
      }
      await this.quota.assertAliasRoom(tx, found.instanceId, 1);
      await this.quota.takeAliases(tx, found, [alias], made.createdBy, made.createdAt);
      const next = await this.units.change(tx, found, { aliases: [...found.aliases, alias], updatedAt: now });
      return { key: next, detail: { alias } };
    });
    return { keyId: key.id, ...made };
  }
}

/** Takes a name away from a key. ALIAS_NOT_FOUND when it has none of that name. */
export class DeleteAlias extends Command<void> {
  static readonly permission: Permission = 'key-alias.write';
  static readonly act = 'kms.secrets-alias.delete';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly alias: string,
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }
}

@CommandHandler(DeleteAlias)
export class DeleteAliasHandler implements ICommandHandler<DeleteAlias> {
  constructor(
    private readonly acts: KeyActs,
    private readonly units: KeyUnits,
  ) {}

  async execute({ by, target, alias }: DeleteAlias): Promise<void> {
    await this.acts.run({ by, act: DeleteAlias.act }, target, async (tx, key, now) => {
      assertAllowed('remove an alias of', key, now);
      if (!key.aliases.includes(alias)) throw new KeysteadError('ALIAS_NOT_FOUND', `the key has no alias ${alias}`);
      await tx.delete(KeyAlias, { instanceId: key.instanceId, alias, keyId: key.id });
      const aliases = key.aliases.filter((one) => one !== alias);
      return { key: await this.units.change(tx, key, { aliases, updatedAt: now }), detail: { alias } };
    });
  }
}

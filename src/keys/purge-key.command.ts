import { Injectable } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EntityManager } from 'typeorm';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { Config } from '../config/config.js';
import { ParameterIssue } from '../import-tokens/parameter-issue.js';
import { needs } from '../shared/errors.js';
import type { Permission } from '../shared/permissions.js';
import { Key, KeyAlias, KeyRegistration, KeyVersion } from './key.entity.js';
import { KeyActs } from './key-acts.js';
import { KeyGrant } from './key-grant.entity.js';
import { assertAct } from './key-state.js';
import type { KeyTarget } from './key-target.js';
import { assertTime, plus } from './key-timers.js';
import type { KeyView } from './key-view.js';
import { keyViewOf } from './key-view-of.js';

/** Removes a deleted key for good: rows, blobs and aliases. Returns what it was. */
export class PurgeKey extends Command<KeyView> {
  static readonly permission: Permission = 'key.purge';
  static readonly act = 'kms.secrets.purge';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }
}

/** The end of a key, for the command and for the job that purges what is due. */
@Injectable()
export class Purge {
  constructor(
    private readonly acts: KeyActs,
    private readonly parameters: ParameterIssue,
    private readonly config: Config,
  ) {}

  /** The key as it was. KEY_STATE for one that is not deleted, REQUEST_TOO_EARLY. */
  run(by: Caller, target: KeyTarget): Promise<Key> {
    return this.acts.run({ by, act: PurgeKey.act }, target, async (tx, key, now) => {
      assertAct('purge', key.state);
      assertTime('purge', key, this.config.timers, now);
      await this.#remove(tx, key.id);
      const detail = {
        name: key.name,
        deletionDate: key.deletedAt,
        purgeAllowedFrom: key.deletedAt && plus(key.deletedAt, this.config.timers.purge),
        purgeEligibleOn: key.deletedAt && plus(key.deletedAt, this.config.timers.autoPurge),
      };
      return { key, detail, gone: true };
    });
  }

  /** The same for a key whose scheduled deletion is due. KEY_STATE for any other. */
  runDue(by: Caller, target: KeyTarget): Promise<Key> {
    return this.acts.run({ by, act: PurgeKey.act }, target, async (tx, key, now) => {
      const due = key.deletionDueAt !== null && key.deletionDueAt <= now;
      needs(due, 'KEY_STATE', 'the key is not due to be deleted');
      await this.#remove(tx, key.id);
      return { key, detail: { name: key.name, deletionDate: key.deletionDueAt }, gone: true };
    });
  }

  async #remove(tx: EntityManager, keyId: string): Promise<void> {
    await this.parameters.forget(tx, keyId);
    for (const rows of [KeyVersion, KeyAlias, KeyRegistration, KeyGrant]) await tx.delete(rows, { keyId });
    await tx.delete(Key, { id: keyId });
  }
}

@CommandHandler(PurgeKey)
export class PurgeKeyHandler implements ICommandHandler<PurgeKey> {
  constructor(
    private readonly purge: Purge,
    private readonly config: Config,
  ) {}

  async execute({ by, target }: PurgeKey): Promise<KeyView> {
    return keyViewOf(await this.purge.run(by, target), this.config.timers, new Date());
  }
}

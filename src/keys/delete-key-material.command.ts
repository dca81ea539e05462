import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { Config } from '../config/config.js';
import { KeysteadError } from '../shared/errors.js';
import type { Permission } from '../shared/permissions.js';
import { ExternalMaterial } from './external-material.js';
import { KeyActs } from './key-acts.js';
import { isAsymmetric } from './key-kinds.js';
import { assertExternal } from './key-rules.js';
import { assertAllowed, PENDING, stateNow } from './key-state.js';
import type { KeyTarget } from './key-target.js';
import type { KeyView } from './key-view.js';
import { keyViewOf } from './key-view-of.js';

/**
 * Removes the material of an external AES key; the same can be imported again. KEY_NOT_EXTERNAL, KEY_ASYMMETRIC. A key
 * without material stays as it is, and one whose deletion is scheduled keeps its date; with `onlyLive` they are refused:
 * MATERIAL_ABSENT, DELETION_PENDING.
 */
export class DeleteKeyMaterial extends Command<KeyView> {
  static readonly permission: Permission = 'key.manage';
  static readonly act = 'kms.key-material.delete';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly options: { readonly onlyLive?: boolean | undefined } = {},
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }
}

@CommandHandler(DeleteKeyMaterial)
export class DeleteKeyMaterialHandler implements ICommandHandler<DeleteKeyMaterial> {
  constructor(
    private readonly acts: KeyActs,
    private readonly material: ExternalMaterial,
    private readonly config: Config,
  ) {}

  async execute({ by, target, options }: DeleteKeyMaterial): Promise<KeyView> {
    const after = await this.acts.run({ by, act: DeleteKeyMaterial.act }, target, async (tx, key, now) => {
      assertExternal(key);
      if (isAsymmetric(key.algorithm)) {
        throw new KeysteadError('KEY_ASYMMETRIC', 'the material of a private key cannot be deleted; delete the key');
      }
      assertAllowed('delete the material of', key, now);
      if (options.onlyLive) assertAllowed('delete the present material of', key, now);
      const detail = { initialValue: { keyState: stateNow(key, now) }, newValue: { keyState: PENDING } };
      return { key: key.state === PENDING ? key : await this.material.drop(tx, key, now), detail };
    });
    return keyViewOf(after, this.config.timers, new Date());
  }
}

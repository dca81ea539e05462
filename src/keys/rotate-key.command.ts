import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { Config } from '../config/config.js';
import { FieldError } from '../shared/errors.js';
import type { Permission } from '../shared/permissions.js';
import { InstancePolicies } from './instance-policies.js';
import type { Key } from './key.entity.js';
import { assertGenerated, assertRoot, fieldRefused } from './key-rules.js';
import { assertAllowed } from './key-state.js';
import { KeyStore } from './key-store.js';
import type { KeyTarget } from './key-target.js';
import { assertTime } from './key-timers.js';
import type { Material } from './material.js';
import { Rotation } from './rotation.js';

/** Makes a new version; wraps use it from then on. An imported key needs new material, a generated key takes none. */
export class RotateKey extends Command<void> {
  static readonly permission: Permission = 'key.rotate';
  static readonly act = 'kms.secrets.rotate';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly material: Material = {},
    /** `immediately`: without the time that must pass between two rotations. */
    readonly options: { readonly immediately?: boolean | undefined } = {},
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }
}

@CommandHandler(RotateKey)
export class RotateKeyHandler implements ICommandHandler<RotateKey> {
  constructor(
    private readonly store: KeyStore,
    private readonly rotation: Rotation,
    private readonly policies: InstancePolicies,
    private readonly config: Config,
  ) {}

  async execute({ by, target, material, options }: RotateKey): Promise<void> {
    const found = await this.store.find(target);
    assertRoot(found);
    if (found.external) assertGenerated(found);
    assertAllowed('rotate', found, new Date());
    const check = (key: Key, now: Date) => {
      if (!options.immediately) assertTime('rotate', key, this.config.timers, now);
    };
    check(found, new Date());
    assertMaterialFits(found, material);
    (await this.policies.of(found.instanceId)).assertToken(material);
    await this.rotation.run({ by, act: RotateKey.act }, target, { found, material, check });
  }
}

function assertMaterialFits({ imported }: Key, { material, secure }: Material): void {
  const given = material !== undefined || secure !== undefined;
  if (imported === given) return;
  if (given) throw fieldRefused('payload', 'absent: the key was generated, and its new version is too');
  const message =
    "This root key was created with user-supplied key material: Key material is required to perform a 'rotate' action";
  throw new FieldError('KEY_PAYLOAD_REQUIRED', message, { type: 'field', name: 'payload' });
}

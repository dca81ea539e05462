import { randomBytes } from 'node:crypto';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EntityManager } from 'typeorm';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { coverKey, grantsFor } from '../access/scope.js';
import { KeysteadError, needs } from '../shared/errors.js';
import type { Permission } from '../shared/permissions.js';
import type { Key } from './key.entity.js';
import { KeyActs } from './key-acts.js';
import { KeyGrant } from './key-grant.entity.js';
import type { GrantOperation, GrantView } from './key-grant.js';
import { fieldRefused } from './key-rules.js';
import { assertAllowed } from './key-state.js';
import type { KeyTarget } from './key-target.js';
import { KeyUnits } from './key-units.js';

const MOST_GRANTS = 100;
const MOST_CHARACTERS = 255;

export interface NewGrant {
  readonly grantee: string;
  /** At least one, and not create-grant alone: FIELD_INVALID. */
  readonly operations: readonly GrantOperation[];
  readonly name?: string | undefined;
  readonly retiringPrincipal?: string | undefined;
}

/**
 * Lets a caller do operations with one key, whatever its roles. Whoever may create grants only by a grant gives on what
 * it has itself: FORBIDDEN for more. GRANT_QUOTA, DELETION_PENDING, MATERIAL_ABSENT.
 */
export class CreateGrant extends Command<GrantView> {
  static readonly permission: Permission = 'key-grant.write';
  static readonly act = 'kms.grant.create';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly input: NewGrant,
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }

  get operation(): GrantOperation {
    return 'create-grant';
  }
}

@CommandHandler(CreateGrant)
export class CreateGrantHandler implements ICommandHandler<CreateGrant> {
  constructor(
    private readonly acts: KeyActs,
    private readonly units: KeyUnits,
  ) {}

  async execute({ by, target, input }: CreateGrant): Promise<GrantView> {
    assertGrant(input);
    const id = randomBytes(32).toString('hex');
    const createdAt = new Date();
    const { grantee, name = '', retiringPrincipal = null } = input;
    const operations = [...new Set(input.operations)];
    const made = { id, name, operations, grantee, retiringPrincipal, createdBy: by.id, createdAt };
    const key = await this.acts.run({ by, act: CreateGrant.act }, target, async (tx, found, now) => {
      assertAllowed('grant the use of', found, now);
      await assertMayGive(tx, found, by, operations);
      const count = await tx.countBy(KeyGrant, { keyId: found.id });
      needs(count < MOST_GRANTS, 'GRANT_QUOTA', `a key may have ${MOST_GRANTS} grants; revoke some`);
      await tx.insert(KeyGrant, { ...made, instanceId: found.instanceId, keyId: found.id });
      return {
        key: await this.units.change(tx, found, {}),
        detail: { grantId: id, grantee, operations, retiringPrincipal },
      };
    });
    return { ...made, instanceId: key.instanceId, keyId: key.id };
  }
}

/** Ends a grant, as a manager of the key. GRANT_NOT_FOUND. */
export class RevokeGrant extends Command<void> {
  static readonly permission: Permission = 'key-grant.write';
  static readonly act = 'kms.grant.revoke';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly grantId: string,
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }
}

@CommandHandler(RevokeGrant)
export class RevokeGrantHandler implements ICommandHandler<RevokeGrant> {
  constructor(
    private readonly acts: KeyActs,
    private readonly units: KeyUnits,
  ) {}

  async execute({ by, target, grantId }: RevokeGrant): Promise<void> {
    await this.acts.run({ by, act: RevokeGrant.act }, target, async (tx, key, now) => {
      assertAllowed('revoke a grant on', key, now);
      const { grantee, operations } = await grantOf(tx, key, grantId);
      await tx.delete(KeyGrant, { id: grantId });
      return { key: await this.units.change(tx, key, {}), detail: { grantId, grantee, operations } };
    });
  }
}

/** Ends a grant, as its retiring principal or as a grantee that may. GRANT_NOT_FOUND, FORBIDDEN. */
export class RetireGrant extends Command<void> {
  static readonly permission: Permission = 'key-grant.write';
  static readonly act = 'kms.grant.retire';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly grantId: string,
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }

  get operation(): GrantOperation {
    return 'retire-grant';
  }
}

@CommandHandler(RetireGrant)
export class RetireGrantHandler implements ICommandHandler<RetireGrant> {
  constructor(
    private readonly acts: KeyActs,
    private readonly units: KeyUnits,
  ) {}

  async execute({ by, target, grantId }: RetireGrant): Promise<void> {
    await this.acts.run({ by, act: RetireGrant.act }, target, async (tx, key, now) => {
      assertAllowed('revoke a grant on', key, now);
      const grant = await grantOf(tx, key, grantId);
      const mayRetire =
        grant.retiringPrincipal === by.id || (grant.grantee === by.id && grant.operations.includes('retire-grant'));
      needs(
        mayRetire || managesGrants(by, key),
        'FORBIDDEN',
        'only the retiring principal of a grant, or a grantee with retire-grant, may retire it',
      );
      await tx.delete(KeyGrant, { id: grantId });
      return {
        key: await this.units.change(tx, key, {}),
        detail: { grantId, grantee: grant.grantee, operations: grant.operations },
      };
    });
  }
}

async function grantOf(tx: EntityManager, { id: keyId }: Key, id: string): Promise<KeyGrant> {
  const grant = await tx.findOneBy(KeyGrant, { id, keyId });
  if (grant !== null) return grant;
  throw new KeysteadError('GRANT_NOT_FOUND', `the key has no grant ${id}`);
}

/** Whether the caller's roles let it write grants on the key, without any grant. */
function managesGrants(by: Caller, key: Key): boolean {
  const place = { keyId: key.id, keyRingId: key.keyRingId };
  return coverKey(grantsFor(by, CreateGrant.permission, key.instanceId), place);
}

/** Who creates grants by a grant gives no more than the grants it has. */
async function assertMayGive(
  tx: EntityManager,
  key: Key,
  by: Caller,
  operations: readonly GrantOperation[],
): Promise<void> {
  if (managesGrants(by, key)) return;
  const held = await tx.findBy(KeyGrant, { keyId: key.id, grantee: by.id });
  const own = new Set(held.flatMap((grant) => grant.operations));
  const more = operations.filter((operation) => !own.has(operation));
  needs(more.length === 0, 'FORBIDDEN', `you cannot grant what you are not granted: ${more.join(', ')}`);
}

function assertGrant({ operations, grantee, name = '', retiringPrincipal = '-' }: NewGrant): void {
  const useful = operations.some((operation) => operation !== 'create-grant');
  if (!useful) throw fieldRefused('operations', 'at least one operation besides create-grant');
  for (const [field, text] of Object.entries({ grantee, retiringPrincipal })) {
    const good = text.length >= 1 && text.length <= MOST_CHARACTERS && /^\P{Cc}+$/u.test(text);
    if (!good) throw fieldRefused(field, `1 to ${MOST_CHARACTERS} characters`);
  }
  if (name.length > MOST_CHARACTERS || /\p{Cc}/u.test(name)) {
    throw fieldRefused('name', `at most ${MOST_CHARACTERS} characters`);
  }
}

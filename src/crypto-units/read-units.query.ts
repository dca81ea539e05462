import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { CryptoUnit } from '../instances/crypto-unit.entity.js';
import { noInstance } from '../instances/read-instances.query.js';
import { KeysteadError } from '../shared/errors.js';
import type { Permission } from '../shared/permissions.js';
import type { FactsAnswer } from '../unit-agent/protocol.js';
import { Fleet } from './fleet.js';
import type { UnitView } from './unit-view.js';

/**
 * The units of an instance; of the only instance when none is named.
 * INSTANCE_NOT_FOUND for an unknown one, BAD_REQUEST when there are several to choose from.
 */
export class ListUnits extends Query<UnitView[]> {
  static readonly permission: Permission = 'crypto-unit.read';
  constructor(readonly instanceId: string | undefined) {
    super();
  }
}

@QueryHandler(ListUnits)
export class ListUnitsHandler implements IQueryHandler<ListUnits> {
  constructor(private readonly fleet: Fleet) {}

  async execute({ instanceId }: ListUnits): Promise<UnitView[]> {
    await this.fleet.catchUp();
    return this.fleet.views(await theInstance(this.fleet, instanceId));
  }
}

/** Names and states of units whose rows were just read, in the same order; also of units that are on their way out. */
export class NameStates extends Query<Pick<UnitView, 'id' | 'instanceId' | 'state'>[]> {
  static readonly permission: Permission = 'crypto-unit.read';
  constructor(readonly rows: readonly CryptoUnit[]) {
    super();
  }
}

@QueryHandler(NameStates)
export class NameStatesHandler implements IQueryHandler<NameStates> {
  constructor(private readonly fleet: Fleet) {}

  async execute({ rows }: NameStates) {
    return rows.map((row) => ({ id: row.id, instanceId: row.instanceId, state: this.fleet.stateOf(row) }));
  }
}

/** One unit with everything that is known of it. UNIT_NOT_FOUND. */
export class ShowUnit extends Query<UnitView> {
  static readonly permission: Permission = 'crypto-unit.read';
  constructor(readonly unitId: string) {
    super();
  }
}

@QueryHandler(ShowUnit)
export class ShowUnitHandler implements IQueryHandler<ShowUnit> {
  constructor(private readonly fleet: Fleet) {}

  async execute({ unitId }: ShowUnit): Promise<UnitView> {
    await this.fleet.catchUp();
    return this.fleet.view(unitId);
  }
}

/**
 * The unit's facts, asked now, signed by its receipt key over the caller's nonce (base64url, 16 to 64 bytes); on demand
 * also what its token can do.
 */
export class AskUnitFacts extends Query<FactsAnswer> {
  static readonly permission: Permission = 'crypto-unit.read';
  constructor(
    readonly unitId: string,
    readonly nonce: string,
    readonly capabilities: boolean,
  ) {
    super();
  }
}

@QueryHandler(AskUnitFacts)
export class AskUnitFactsHandler implements IQueryHandler<AskUnitFacts> {
  constructor(private readonly fleet: Fleet) {}

  async execute({ unitId, nonce, capabilities }: AskUnitFacts): Promise<FactsAnswer> {
    await this.fleet.catchUp();
    return (await this.fleet.link(unitId).admin()).facts({ nonce, capabilities });
  }
}

/** The identity that an instance's units enrol as kmsCryptoUser. IBM's shape, with the fingerprint beside it. */
export interface KmsUserMetadata {
  readonly user_name: string;
  readonly public_key: string;
  readonly slot_id: number;
  readonly fingerprint: string;
}

export class ReadKmsUser extends Query<KmsUserMetadata> {
  static readonly permission: Permission = 'crypto-unit.read';
  constructor(readonly instanceId: string | undefined) {
    super();
  }
}

@QueryHandler(ReadKmsUser)
export class ReadKmsUserHandler implements IQueryHandler<ReadKmsUser> {
  constructor(private readonly fleet: Fleet) {}

  async execute({ instanceId }: ReadKmsUser): Promise<KmsUserMetadata> {
    await this.fleet.catchUp();
    const user = await this.fleet.kmsUser(await theInstance(this.fleet, instanceId));
    return { user_name: user.name, public_key: user.publicKey, slot_id: 0, fingerprint: user.fingerprint };
  }
}

/** The instance that was named, or the only one there is. One that the fleet has not met yet was made a moment ago. */
export async function theInstance(fleet: Fleet, instanceId: string | undefined): Promise<string> {
  if (instanceId !== undefined) {
    if (fleet.instance(instanceId) === undefined) await fleet.reconcile();
    if (fleet.instance(instanceId) === undefined) throw noInstance(instanceId);
    return instanceId;
  }
  const instances = fleet.instances();
  const [only] = instances;
  if (only !== undefined && instances.length === 1) return only.id;
  const message =
    only === undefined
      ? "there is no instance yet; make one with 'kp instance create NAME'"
      : `there are ${instances.length} instances; name one in the Instance-ID header`;
  throw new KeysteadError(only === undefined ? 'INSTANCE_NOT_FOUND' : 'BAD_REQUEST', message);
}

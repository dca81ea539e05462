import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import type { Caller } from '../access/caller.js';
import { type Scope, sightOf } from '../access/scope.js';
import { AuditLog } from '../audit/audit-log.js';
import type { Permission } from '../shared/permissions.js';
import { Key, KeyRegistration, KeyVersion } from './key.entity.js';
import { KeyStore } from './key-store.js';
import type { Place } from './key-target.js';
import type { RegistrationView } from './key-view.js';

const LIMIT = 200;

export interface RegistrationPage {
  readonly limit?: number | undefined;
  readonly offset?: number | undefined;
  readonly preventKeyDeletion?: boolean | undefined;
  /** A CRN in which * stands for anything within a segment; already decoded. */
  readonly crn?: string | undefined;
}

export interface ListedRegistrations {
  readonly registrations: readonly RegistrationView[];
  readonly total: number;
}

/** Cloud resources that keys protect, of one key when it is named. */
export class ListRegistrations extends Query<ListedRegistrations> {
  static readonly permission: Permission = 'registration.read';
  static readonly act = 'kms.registrations.list';
  static readonly partial = true;
  constructor(
    readonly by: Caller,
    readonly target: Place & { readonly key?: string | undefined },
    readonly page: RegistrationPage = {},
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }
}

@QueryHandler(ListRegistrations)
export class ListRegistrationsHandler implements IQueryHandler<ListRegistrations> {
  constructor(
    private readonly db: DataSource,
    private readonly store: KeyStore,
    private readonly audit: AuditLog,
  ) {}

  async execute({ by, target, page }: ListRegistrations): Promise<ListedRegistrations> {
    const { instanceId, keyRingId, key: name } = target;
    const key = name === undefined ? undefined : await this.store.find({ ...target, key: name });
    const sight = sightOf(by, ListRegistrations.permission, instanceId);
    const query = this.db.manager
      .createQueryBuilder(KeyRegistration, 'r')
      .innerJoinAndMapOne('r.key', Key, 'k', 'k.id = r.keyId')
      .innerJoinAndMapOne('r.version', KeyVersion, 'v', 'v.id = r.versionId')
      .where('r.instanceId = :instanceId', { instanceId });
    if (key === undefined && sight !== 'all') {
      query.andWhere('(k.keyRingId = ANY (:rings) OR k.id = ANY (:keys))', {
        rings: sight.keyRingIds,
        keys: sight.keyIds,
      });
    }
    if (key !== undefined) query.andWhere('r.keyId = :keyId', { keyId: key.id });
    if (keyRingId !== undefined) query.andWhere('k.keyRingId = :keyRingId', { keyRingId });
    if (page.preventKeyDeletion !== undefined) {
      query.andWhere('r.preventKeyDeletion = :prevent', { prevent: page.preventKeyDeletion });
    }
    if (page.crn !== undefined) query.andWhere('r.resourceCrn ~ :crn', { crn: crnPattern(page.crn) });
    const [rows, total] = await query
      .orderBy('r.keyId')
      .addOrderBy('r.resourceCrn')
      .limit(page.limit ?? LIMIT)
      .offset(page.offset ?? 0)
      .getManyAndCount();
    const detail = { totalResources: rows.length };
    await this.audit.record({
      act: ListRegistrations.act,
      outcome: 'success',
      by,
      instanceId,
      target: key?.id,
      detail,
    });
    return { registrations: (rows as Joined[]).map(viewOf), total };
  }
}

type Joined = KeyRegistration & { readonly key: Key; readonly version: KeyVersion };

function viewOf({ key, version, instanceId: _, versionId: __, ...row }: Joined): RegistrationView {
  return { ...row, keyName: key.name, version: { id: version.id, createdAt: version.createdAt } };
}

/** A CRN as a regular expression: * is anything within a segment. */
export function crnPattern(crn: string): string {
  const escaped = crn.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
  return `^${escaped.replace(/\*/g, '[^:]*')}$`;
}

import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { AccessRules } from '../access/access-rules.js';
import type { KeyPlace } from '../access/scope.js';
import { InstancePolicies } from './instance-policies.js';
import { Key } from './key.entity.js';
import { KeyGrant } from './key-grant.entity.js';
import { KeyStore } from './key-store.js';

/** What the gate asks about keys and instances. */
@Injectable()
export class KeyAccess extends AccessRules {
  constructor(
    private readonly db: DataSource,
    private readonly store: KeyStore,
    private readonly policies: InstancePolicies,
  ) {
    super();
  }

  async placeOf(instanceId: string, name: string): Promise<KeyPlace | undefined> {
    const id = await this.store.idOf(instanceId, name);
    if (id === undefined) return undefined;
    const key = await this.db.manager.findOne(Key, {
      select: { id: true, keyRingId: true },
      where: { id, instanceId },
    });
    return key === null ? undefined : { keyId: key.id, keyRingId: key.keyRingId };
  }

  async isGranted(instanceId: string, key: string, callerId: string, operation: string): Promise<boolean> {
    const keyId = await this.store.idOf(instanceId, key);
    if (keyId === undefined) return false;
    const grants = await this.db.manager.findBy(KeyGrant, [
      { instanceId, keyId, grantee: callerId },
      ...(operation === 'retire-grant' ? [{ instanceId, keyId, retiringPrincipal: callerId }] : []),
    ]);
    return grants.some(
      ({ grantee, operations, retiringPrincipal }) =>
        (grantee === callerId && (operations as readonly string[]).includes(operation)) ||
        (operation === 'retire-grant' && retiringPrincipal === callerId),
    );
  }

  admits(instanceId: string, address: string): boolean | Promise<boolean> {
    return this.policies.admits(instanceId, address);
  }

  measures(instanceId: string): boolean | Promise<boolean> {
    return this.policies.measures(instanceId);
  }
}

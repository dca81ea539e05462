import { Injectable } from '@nestjs/common';
import type { Caller } from '../access/caller.js';
import { AuditLog } from '../audit/audit-log.js';
import type { CryptoClient } from '../unit-agent/client.js';
import { boundRow, type DataContext } from './data-context.js';
import { assertSymmetric } from './key-rules.js';
import { assertAllowed } from './key-state.js';
import { KeyStore } from './key-store.js';
import type { KeyTarget } from './key-target.js';
import { KeyUnits } from './key-units.js';
import { WrapCounter } from './wrap-counter.js';

interface SealedBy {
  readonly keyId: string;
  readonly versionId: string;
  readonly result: { readonly plaintext: Buffer; readonly sealed: Buffer };
}

/** Encrypts under the latest version of a key, for the commands that do. */
@Injectable()
export class DataSealing {
  constructor(
    private readonly store: KeyStore,
    private readonly units: KeyUnits,
    private readonly wraps: WrapCounter,
    private readonly audit: AuditLog,
  ) {}

  /** What the source gave, on the unit that then sealed it. */
  async run(
    by: Caller,
    target: KeyTarget,
    context: DataContext,
    line: { readonly act: string; readonly detail: object },
    source: (unit: CryptoClient) => Promise<Buffer>,
  ): Promise<SealedBy> {
    const key = await this.store.find(target);
    assertSymmetric(key);
    assertAllowed('encrypt', key, new Date());
    const version = await this.store.latest(key);
    const { row, blob, mac, aad } = boundRow(key, version, context);
    const { unitId, result } = await this.units.use(key, async (unit) => {
      await this.wraps.spend(version.id); // each unit that is asked encrypts
      const plaintext = await source(unit);
      return { plaintext, sealed: await unit.encrypt(row, blob, mac, aad, plaintext) };
    });
    await this.audit.record({
      act: line.act,
      outcome: 'success',
      by,
      instanceId: key.instanceId,
      unitId,
      target: key.id,
      detail: { keyVersionId: version.id, ...line.detail },
    });
    return { keyId: key.id, versionId: version.id, result };
  }
}

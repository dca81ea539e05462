import { Injectable } from '@nestjs/common';
import type { Caller } from '../access/caller.js';
import { AuditLog } from '../audit/audit-log.js';
import type { CryptoClient } from '../unit-agent/client.js';
import type { SigningAlgorithm, StoredRow } from '../unit-agent/protocol.js';
import type { Key } from './key.entity.js';
import { storedRowOf } from './key-row.js';
import { assertAsymmetric, fieldRefused } from './key-rules.js';
import { assertAllowed } from './key-state.js';
import { KeyStore } from './key-store.js';
import type { KeyTarget } from './key-target.js';
import { KeyUnits } from './key-units.js';

export interface Digest {
  /** Of the key's own kind: FIELD_INVALID otherwise, as for a digest of another length. */
  readonly algorithm: SigningAlgorithm;
  /** 32, 48 or 64 bytes, as the algorithm says. */
  readonly digest: Buffer;
}

export interface DigestAct {
  readonly keyId: string;
  readonly versionId: string;
}

/** Signs and verifies digests with the latest version of a key, for the commands that do. */
@Injectable()
export class KeyDigests {
  constructor(
    private readonly store: KeyStore,
    private readonly units: KeyUnits,
    private readonly audit: AuditLog,
  ) {}

  async run<T>(
    by: Caller,
    target: KeyTarget,
    { algorithm, digest }: Digest,
    { act, use }: { readonly act: string; readonly use: 'sign' | 'verify' },
    work: (unit: CryptoClient, stored: StoredRow) => Promise<T>,
  ): Promise<DigestAct & { readonly result: T }> {
    const key = await this.store.find(target);
    assertAsymmetric(key);
    assertAllowed(use, key, new Date());
    assertFits(key, algorithm, digest);
    const version = await this.store.latest(key);
    const stored = storedRowOf(key, version);
    const { unitId, result } = await this.units.use(key, (unit) => work(unit, stored));
    await this.audit.record({
      act,
      outcome: 'success',
      by,
      instanceId: key.instanceId,
      unitId,
      target: key.id,
      detail: { algorithm, ...(typeof result === 'boolean' && { valid: result }) },
    });
    return { keyId: key.id, versionId: version.id, result };
  }
}

function assertFits(key: Key, algorithm: SigningAlgorithm, digest: Buffer): void {
  const family = key.algorithm.startsWith('EC') ? 'ECDSA' : 'RSASSA';
  if (!algorithm.startsWith(family)) throw fieldRefused('algorithm', `one of ${family} for an ${key.algorithm} key`);
  const bytes = Number(algorithm.slice(-3)) / 8;
  if (digest.length !== bytes) throw fieldRefused('digest', `${bytes} bytes for ${algorithm}`);
}

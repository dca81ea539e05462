import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { AuditLog } from '../audit/audit-log.js';
import type { OpenedToken } from '../import-tokens/parameter-issue.js';
import { equalBytes, sha256 } from '../shared/bytes.js';
import { KeysteadError, needs } from '../shared/errors.js';
import type { CryptoClient } from '../unit-agent/client.js';
import type { SigningAlgorithm, StoredMaterial, StoredRow } from '../unit-agent/protocol.js';
import { Key, KeyVersion } from './key.entity.js';
import { isAsymmetric, type KeyAlgorithm } from './key-kinds.js';
import { nextOf, rowOf, storedRowOf } from './key-row.js';
import { ACTIVE, PENDING, SUSPENDED, stateNow } from './key-state.js';
import { KeyUnits } from './key-units.js';

const PROOF = Buffer.from('keystead/imported key works on another unit');
/** With what a private key proves itself. */
const PROOF_ALGORITHM: Readonly<Partial<Record<KeyAlgorithm, SigningAlgorithm>>> = {
  'RSA-2048': 'RSASSA_PSS_SHA_256',
  'RSA-3072': 'RSASSA_PSS_SHA_256',
  'RSA-4096': 'RSASSA_PSS_SHA_256',
  'EC-P256': 'ECDSA_SHA_256',
  'EC-P384': 'ECDSA_SHA_384',
};

/** What a client encrypted for the import. */
export interface EncryptedMaterial {
  readonly encryptedKeyMaterial: Buffer;
  readonly encryptedPrivateKey?: Buffer | undefined;
  readonly expiresAt: Date | null;
}

export interface ImportedMaterial {
  readonly key: Key;
  readonly unitId: string;
  readonly provedOn: string;
}

/** The coming and going of the material of external keys. Each has exactly one version, whose blob is empty without it. */
@Injectable()
export class ExternalMaterial {
  constructor(
    private readonly units: KeyUnits,
    private readonly audit: AuditLog,
  ) {}

  /**
   * Puts material into a locked key, after another unit worked with it. IMPORT_INVALID, MATERIAL_LENGTH,
   * TEMPORARY_KEY_LENGTH, PRIVATE_KEY_INVALID, EXPIRY_PAST, MATERIAL_MISMATCH; then nothing was changed.
   */
  async put(
    tx: EntityManager,
    key: Key,
    token: OpenedToken,
    given: EncryptedMaterial,
    now: Date,
  ): Promise<ImportedMaterial> {
    const version = await tx.findOneByOrFail(KeyVersion, { keyId: key.id });
    const auditSeq = await this.audit.nextSeq(tx);
    const active: Key = { ...key, state: ACTIVE, auditSeq };
    const { unitId, result: made } = await this.units.use(key, (unit) =>
      unit.importMaterial(
        token.pair.row,
        token.pair.blob,
        token.pair.mac,
        {
          algorithm: token.algorithm,
          wrappedKey: given.encryptedKeyMaterial,
          ...(given.encryptedPrivateKey !== undefined && { privateKey: given.encryptedPrivateKey }),
        },
        storedRowOf(key, version),
        nextOf(active),
      ),
    );
    const materialExpiresAt = isAsymmetric(key.algorithm) ? null : given.expiresAt;
    needs(
      materialExpiresAt === null || materialExpiresAt > now,
      'EXPIRY_PAST',
      'the material must expire in the future',
    );
    assertSame(key, made);
    const proved: StoredRow = { row: rowOf(active, version), blob: made.blob, mac: made.mac };
    const provedOn = await this.#prove(key, proved, unitId);
    const state = stateNow(key, now) === SUSPENDED ? SUSPENDED : ACTIVE;
    const changes = {
      state,
      materialExpiresAt,
      materialBinding: made.binding,
      changedAt: now,
      updatedAt: now,
      auditSeq,
    } as const;
    const next: Key = { ...key, ...changes };
    const after = nextOf(next);
    const { unitId: changedBy, result } = await this.units.use(key, (unit) =>
      unit.changeRows([{ ...proved, next: after }]),
    );
    const mac = result[0]?.mac as Buffer;
    await this.units.proveRows(key, [{ row: { ...proved.row, ...after }, blob: made.blob, mac }], changedBy);
    await tx.query(`UPDATE "key_versions" SET "blob" = $2, "mac" = $3, "wraps" = "wraps" + 1 WHERE "id" = $1`, [
      version.id,
      made.blob,
      mac,
    ]);
    await tx.update(Key, { id: key.id }, changes);
    return { key: next, unitId, provedOn };
  }

  /** Takes the material out of a locked key: the blob is gone, and the key waits for the same material again. */
  async drop(tx: EntityManager, key: Key, now: Date): Promise<Key> {
    const version = await tx.findOneByOrFail(KeyVersion, { keyId: key.id });
    const auditSeq = await this.audit.nextSeq(tx);
    const changes = { state: PENDING, materialExpiresAt: null, changedAt: now, updatedAt: now, auditSeq } as const;
    const next: Key = { ...key, ...changes };
    const after = nextOf(next);
    const stored = storedRowOf(key, version);
    const { unitId, result } = await this.units.use(key, (unit) => unit.dropMaterial(stored, after));
    const blob = Buffer.alloc(0);
    await this.units.proveRows(key, [{ row: { ...stored.row, ...after }, blob, mac: result.mac }], unitId);
    await tx.update(KeyVersion, { id: version.id }, { blob, mac: result.mac });
    await tx.update(Key, { id: key.id }, changes);
    return next;
  }

  #prove(key: Key, stored: StoredRow, madeOn: string): Promise<string> {
    const algorithm = PROOF_ALGORITHM[key.algorithm as KeyAlgorithm];
    return algorithm === undefined ? this.#proveCipher(key, stored) : this.#proveSigner(key, stored, madeOn, algorithm);
  }

  /** What one unit encrypts another one decrypts. */
  async #proveCipher(key: Key, { row, blob, mac }: StoredRow): Promise<string> {
    const aad = Buffer.from(row.version);
    const { unitId, result: sealed } = await this.units.use(key, (unit) => unit.encrypt(row, blob, mac, aad, PROOF));
    return this.units.prove(key, { version: { blob, mac }, row, aad, sealed, plaintext: PROOF }, unitId);
  }

  /** Another unit than the one that took the key in signs, and the signature is good. */
  async #proveSigner(key: Key, stored: StoredRow, madeOn: string, algorithm: SigningAlgorithm): Promise<string> {
    const digest = algorithm.endsWith('384')
      ? Buffer.concat([sha256(PROOF), sha256(PROOF)]).subarray(0, 48)
      : sha256(PROOF);
    const work = async (unit: CryptoClient) =>
      unit.verify(stored, algorithm, digest, await unit.sign(stored, algorithm, digest));
    const { unitId, result: good } = await this.units.use(key, work, madeOn);
    needs(good, 'UNIT_FAULT', `crypto unit ${unitId} did not sign with the imported key; nothing was changed`);
    return unitId;
  }
}

/** The first material binds the key for ever. */
function assertSame({ materialBinding }: Key, { binding }: StoredMaterial): void {
  if (materialBinding === null || equalBytes(materialBinding, binding)) return;
  throw new KeysteadError(
    'MATERIAL_MISMATCH',
    'this is not the material that was first imported; the key takes no other',
  );
}

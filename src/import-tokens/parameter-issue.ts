import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as after } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { Config } from '../config/config.js';
import { UnitPicker } from '../crypto-units/unit-picker.js';
import { sha256 } from '../shared/bytes.js';
import { KeysteadError, needs } from '../shared/errors.js';
import type { StoredRow, WrappingAlgorithm } from '../unit-agent/protocol.js';
import { ImportParameters } from './import-parameters.entity.js';
import { ImportPair } from './import-token.entity.js';
import { MOST_FAILURES, pairPublicKey } from './import-tokens.js';
import { PairPool } from './pair-pool.job.js';
import { pairRow } from './pair-row.js';

/** Opaque bytes; the services that have such tokens give 200 base64 characters at least. */
const TOKEN_BYTES = 160;
/** Expired ones are remembered so long, so that a client hears that its token expired and not that there is none. */
const REMEMBERED_MS = 30 * 86_400_000;
const TURN_WAIT_MS = 5_000;
const TURN_POLL_MS = 20;

export interface IssuedParameters {
  /** SPKI DER, RSA-2048. */
  readonly publicKey: Buffer;
  readonly importToken: Buffer;
  readonly expiresAt: Date;
}

/** The pair of a token, for a unit, and how its public half was to be used. */
export interface OpenedToken {
  readonly pair: StoredRow;
  readonly algorithm: WrappingAlgorithm;
}

interface KeyId {
  readonly instanceId: string;
  readonly id: string;
}

/** Import parameters of external keys: each set has a pair of its own, and holds for a day or until it burns. */
@Injectable()
export class ParameterIssue {
  constructor(
    private readonly db: DataSource,
    private readonly units: UnitPicker,
    private readonly pool: PairPool,
    private readonly config: Config,
  ) {}

  /** New parameters for a key; those before stay good. `audit` writes its line in the transaction that stores them. */
  issue(
    key: KeyId,
    algorithm: WrappingAlgorithm,
    audit: (tx: EntityManager, issued: IssuedParameters) => Promise<void>,
  ): Promise<IssuedParameters> {
    return this.pool.withPair(key.instanceId, 'RSA-2048', async (tx, pair) => {
      const issued = await this.#store(tx, pair, key, algorithm);
      await audit(tx, issued);
      return issued;
    });
  }

  async #store(
    tx: EntityManager,
    pair: ImportPair,
    key: KeyId,
    algorithm: WrappingAlgorithm,
  ): Promise<IssuedParameters> {
    const publicKey = await pairPublicKey(this.units, pair);
    const importToken = randomBytes(TOKEN_BYTES);
    const createdAt = new Date();
    const expiresAt = new Date(createdAt.getTime() + this.config.timers.importParameters);
    await tx.insert(ImportParameters, {
      id: randomUUID(),
      tokenHash: sha256(importToken),
      instanceId: key.instanceId,
      keyId: key.id,
      pairId: pair.id,
      algorithm,
      failures: 0,
      pending: 0,
      createdAt,
      expiresAt,
    });
    return { publicKey, importToken, expiresAt };
  }

  /**
   * Runs an import with the token. Failures and imports under way are together never more than may fail. Throws
   * IMPORT_TOKEN_INVALID, IMPORT_TOKEN_OTHER_KEY, or IMPORT_TOKEN_EXPIRED, also for a pair that burnt.
   */
  async attempt<T>(key: KeyId, importToken: Buffer, work: (token: OpenedToken) => Promise<T>): Promise<T> {
    const { id, pairId, algorithm } = await this.#begin(key, sha256(importToken));
    let failed = false;
    try {
      const pair = await this.db.manager.findOneBy(ImportPair, { id: pairId, instanceId: key.instanceId });
      if (pair === null) throw expired();
      return await work({ pair: { row: pairRow(pair), blob: pair.blob, mac: pair.mac }, algorithm });
    } catch (cause) {
      failed = cause instanceof KeysteadError && cause.code === 'IMPORT_INVALID';
      throw cause;
    } finally {
      await this.db.query(
        `UPDATE "import_parameters" SET "pending" = "pending" - 1, "failures" = "failures" + $2 WHERE "id" = $1`,
        [id, failed ? 1 : 0],
      );
    }
  }

  /** Removes the pairs of parameters that expired or burnt, and in the end what is remembered of them. */
  async sweep(): Promise<void> {
    const now = new Date();
    await this.db.query(
      `DELETE FROM "import_pairs" WHERE "id" IN (
         SELECT "pairId" FROM "import_parameters" WHERE "expiresAt" <= $1 OR "failures" >= ${MOST_FAILURES})`,
      [now],
    );
    await this.db.query(`DELETE FROM "import_parameters" WHERE "expiresAt" <= $1`, [
      new Date(now.getTime() - REMEMBERED_MS),
    ]);
  }

  /** Forgets all parameters of a key, pairs included. */
  async forget(tx: EntityManager, keyId: string): Promise<void> {
    await tx.query(
      `DELETE FROM "import_pairs" WHERE "id" IN (SELECT "pairId" FROM "import_parameters" WHERE "keyId" = $1)`,
      [keyId],
    );
    await tx.delete(ImportParameters, { keyId });
  }

  async #begin(key: KeyId, tokenHash: Buffer): Promise<ImportParameters> {
    for (const deadline = Date.now() + TURN_WAIT_MS; ; ) {
      const found = await this.db.manager.findOneBy(ImportParameters, { tokenHash, instanceId: key.instanceId });
      if (found === null) {
        throw new KeysteadError('IMPORT_TOKEN_INVALID', 'the import token is none that was given here; get a new one');
      }
      needs(
        found.keyId === key.id,
        'IMPORT_TOKEN_OTHER_KEY',
        'the import token is of another key; get one for this key',
      );
      if (found.expiresAt <= new Date() || found.failures >= MOST_FAILURES || Date.now() > deadline) throw expired();
      const [, begun] = await this.db.query<[unknown[], number]>(
        `UPDATE "import_parameters" SET "pending" = "pending" + 1 WHERE "id" = $1 AND "failures" + "pending" < $2`,
        [found.id, MOST_FAILURES],
      );
      if (begun > 0) return found;
      await after(TURN_POLL_MS); // others are at it
    }
  }
}

function expired(): KeysteadError {
  return new KeysteadError(
    'IMPORT_TOKEN_EXPIRED',
    'the import token has expired, or was used with wrong input too often; get new import parameters',
  );
}

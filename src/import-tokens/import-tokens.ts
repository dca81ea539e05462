import { createPublicKey, randomBytes } from 'node:crypto';
import { setTimeout as after } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { DataSource, LessThan, MoreThan } from 'typeorm';
import { UnitPicker } from '../crypto-units/unit-picker.js';
import { KeysteadError } from '../shared/errors.js';
import type { CryptoClient } from '../unit-agent/client.js';
import type { KeyRowFields, SealedKey, WrappedKey } from '../unit-agent/protocol.js';
import { ImportPair, ImportToken } from './import-token.entity.js';
import { pairRow } from './pair-row.js';

/** A pair burns after so many imports that did not open: that stops padding oracles, not padding code. */
export const MOST_FAILURES = 10;
export const NONCE_BYTES = 12;
const TURN_WAIT_MS = 5_000;
const TURN_POLL_MS = 20;

/** Opens, on the unit it is given, what was encrypted for the token's pair. */
export type Opener = (
  unit: CryptoClient,
  sealed: Omit<SealedKey, 'nonce'>,
  row: KeyRowFields,
) => Promise<WrappedKey & { readonly algorithm: string }>;

/** The import token of each instance: one at a time, good until it expires or has failed too often. */
@Injectable()
export class ImportTokens {
  constructor(
    private readonly db: DataSource,
    private readonly units: UnitPicker,
  ) {}

  /**
   * Runs an import with the instance's token. Failures and imports under way are together never more than may fail, so
   * that trying many at once gains nothing. IMPORT_TOKEN_EXPIRED without a token that is still good.
   */
  async attempt<T>(instanceId: string, work: (open: Opener) => Promise<T>): Promise<T> {
    const token = await this.#begin(instanceId);
    let failed = false;
    try {
      const pair = await this.db.manager.findOneBy(ImportPair, { id: token.pairId, instanceId });
      if (pair === null) throw expired();
      return await work((unit, sealed, row) =>
        unit.importWithPair(pairRow(pair), pair.blob, pair.mac, { ...sealed, nonce: token.nonce }, row),
      );
    } catch (cause) {
      failed = cause instanceof KeysteadError && cause.code === 'IMPORT_INVALID';
      throw cause;
    } finally {
      await this.db.query(
        `UPDATE "import_tokens" SET "pending" = "pending" - 1, "failures" = "failures" + $3
         WHERE "instanceId" = $1 AND "pairId" = $2`,
        [instanceId, token.pairId, failed ? 1 : 0],
      );
    }
  }

  /** PEM of the pair's public half. */
  async publicKey(pair: ImportPair): Promise<string> {
    return createPublicKey({ key: await pairPublicKey(this.units, pair), format: 'der', type: 'spki' })
      .export({ type: 'spki', format: 'pem' })
      .toString();
  }

  /** 12 bytes of a unit's generator and of ours. */
  async nonce(instanceId: string): Promise<Buffer> {
    const { result } = await this.units.use(instanceId, (unit) => unit.random(NONCE_BYTES));
    const ours = randomBytes(NONCE_BYTES);
    return Buffer.from(result.map((byte, at) => byte ^ (ours[at] as number)));
  }

  async #begin(instanceId: string): Promise<Begun> {
    for (const deadline = Date.now() + TURN_WAIT_MS; ; ) {
      const [rows] = await this.db.query<[Begun[], number]>(
        `UPDATE "import_tokens" SET "pending" = "pending" + 1
         WHERE "instanceId" = $1 AND "expiresAt" > $2 AND "failures" + "pending" < $3 RETURNING "pairId", "nonce"`,
        [instanceId, new Date(), MOST_FAILURES],
      );
      const [token] = rows;
      if (token !== undefined) return token;
      const good = { instanceId, expiresAt: MoreThan(new Date()), failures: LessThan(MOST_FAILURES) };
      if (Date.now() > deadline || !(await this.db.manager.existsBy(ImportToken, good))) throw expired();
      await after(TURN_POLL_MS); // others are at it
    }
  }
}

type Begun = Pick<ImportToken, 'pairId' | 'nonce'>;

export function expired(): KeysteadError {
  return new KeysteadError(
    'IMPORT_TOKEN_EXPIRED',
    "the import token has expired, has been retrieved as often as it may be, or was used with wrong input too often; make a new one: 'kp import-token create'",
  );
}

/** SPKI DER of a pair's public half, out of the blob itself: the row of a pair holds no copy that could be swapped. */
export async function pairPublicKey(units: UnitPicker, pair: ImportPair): Promise<Buffer> {
  const { result } = await units.use(pair.instanceId, (unit) =>
    unit.importPairPublicKey(pairRow(pair), pair.blob, pair.mac),
  );
  return result;
}

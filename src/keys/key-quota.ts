import { Injectable } from '@nestjs/common';
import { type EntityManager, In, QueryFailedError } from 'typeorm';
import { Config } from '../config/config.js';
import { KeysteadError } from '../shared/errors.js';
import { type Key, KeyAlias } from './key.entity.js';

const UNIQUE_VIOLATION = '23505';

/** How many keys and aliases an instance may have. */
@Injectable()
export class KeyQuota {
  constructor(private readonly config: Config) {}

  /**
   * Throws KEY_QUOTA or ALIAS_QUOTA unless one more key, and so many more aliases, fit. Within a transaction nobody else
   * takes the room before it ends.
   */
  async assertRoom(tx: EntityManager, instanceId: string, aliases: number): Promise<void> {
    const { keys: mostKeys } = this.config.limits;
    await this.#lock(tx, instanceId);
    if (mostKeys > 0 && (await keysOf(tx, instanceId)) >= mostKeys) {
      const wayOut = 'deleted ones count until they are purged: purge some that are not needed';
      throw new KeysteadError('KEY_QUOTA', `an instance may have ${mostKeys} keys, and ${wayOut}`);
    }
    if (aliases > 0) await this.assertAliasRoom(tx, instanceId, aliases);
  }

  /** Throws ALIAS_QUOTA unless so many more aliases fit. */
  async assertAliasRoom(tx: EntityManager, instanceId: string, more: number): Promise<void> {
    const { aliases: most } = this.config.limits;
    if (most === 0) return;
    await this.#lock(tx, instanceId);
    const [row] = await tx.query<{ n: number }[]>(
      `SELECT count(*)::int AS "n" FROM (SELECT 1 FROM "key_aliases" WHERE "instanceId" = $1 LIMIT $2) "some"`,
      [instanceId, most + 1],
    );
    if ((row?.n ?? 0) + more <= most) return;
    throw new KeysteadError('ALIAS_QUOTA', `an instance may have ${most} aliases; delete some that are not needed`);
  }

  /** Writes the aliases of a key. ALIAS_EXISTS when another key of the instance is so called. */
  async takeAliases(
    tx: EntityManager,
    { id, instanceId }: Pick<Key, 'id' | 'instanceId'>,
    aliases: readonly string[],
    createdBy: string,
    createdAt: Date,
  ): Promise<void> {
    if (aliases.length === 0) return;
    const taken = await tx.findOneBy(KeyAlias, { instanceId, alias: In([...aliases]) });
    if (taken !== null) throw aliasTaken(taken.alias);
    const rows = aliases.map((alias) => ({ instanceId, alias, keyId: id, createdBy, createdAt }));
    await tx.insert(KeyAlias, rows).catch((cause) => {
      const code = cause instanceof QueryFailedError && (cause.driverError as { code?: string }).code;
      throw code === UNIQUE_VIOLATION ? aliasTaken(aliases.join(', ')) : cause;
    });
  }

  async #lock(tx: EntityManager, instanceId: string): Promise<void> {
    if (!tx.queryRunner?.isTransactionActive) return;
    await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, [`keystead/keys/${instanceId}`]);
  }
}

function aliasTaken(alias: string): KeysteadError {
  return new KeysteadError('ALIAS_EXISTS', `the alias ${alias} is taken in this instance; choose another one`);
}

/** Keys in any state, destroyed ones too; read from the totals, at any number of keys at once. */
async function keysOf(tx: EntityManager, instanceId: string): Promise<number> {
  const [row] = await tx.query<{ n: string }[]>(
    `SELECT coalesce(sum("keys"), 0) AS "n" FROM "key_totals" WHERE "instanceId" = $1`,
    [instanceId],
  );
  return Number(row?.n ?? 0);
}

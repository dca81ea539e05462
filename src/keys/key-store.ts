import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { BatchReader } from '../database/batch-reader.js';
import { KeysteadError } from '../shared/errors.js';
import { isUuid } from '../shared/uuid.js';
import { Key, KeyAlias, KeyVersion } from './key.entity.js';
import type { KeyTarget } from './key-target.js';

/** Finds keys as clients name them. Always in the database: a key that was disabled elsewhere is disabled here. */
@Injectable()
export class KeyStore {
  readonly #keys: BatchReader<Key>;
  readonly #versions: BatchReader<KeyVersion>;

  constructor(private readonly db: DataSource) {
    this.#keys = new BatchReader(
      (ids) => db.query(`SELECT * FROM "keys" WHERE "id" = ANY($1)`, [ids]),
      ({ id }) => id,
    );
    this.#versions = new BatchReader(
      (ids) => db.query(`SELECT * FROM "key_versions" WHERE "id" = ANY($1)`, [ids]),
      ({ id }) => id,
    );
  }

  /** The key of that id or alias, in the ring that was named. KEY_NOT_FOUND. */
  find(target: KeyTarget): Promise<Key> {
    return this.#find(target, (id) => this.#keys.find(id));
  }

  /** The same, and nobody changes it before the transaction ends. */
  lock(tx: EntityManager, target: KeyTarget): Promise<Key> {
    return this.#find(target, (id) => tx.findOne(Key, { where: { id }, lock: { mode: 'pessimistic_write' } }));
  }

  /** The latest version of the key. */
  async latest(key: Key): Promise<KeyVersion> {
    const version = await this.version(key, key.versionId);
    if (version !== null) return version;
    throw new KeysteadError('KEY_ROW_INVALID', `the latest version of key ${key.id} is not stored; restore it`);
  }

  /** A version of the key; null when it has none of that id. */
  async version(key: Key, versionId: string): Promise<KeyVersion | null> {
    if (!isUuid(versionId)) return null;
    const version = await this.#versions.find(versionId.toLowerCase());
    return version?.keyId === key.id ? version : null;
  }

  /** The id behind an id or alias; undefined when no alias is so called. */
  async idOf(instanceId: string, key: string): Promise<string | undefined> {
    if (isUuid(key)) return key.toLowerCase();
    return (await this.db.manager.findOneBy(KeyAlias, { instanceId, alias: key }))?.keyId;
  }

  async #find(target: KeyTarget, read: (id: string) => Promise<Key | null>): Promise<Key> {
    const { instanceId, keyRingId, key: name } = target;
    const id = await this.idOf(instanceId, name);
    if (id === undefined) throw noKey(name);
    const key = await read(id);
    const there = key?.instanceId === instanceId && (keyRingId ?? key.keyRingId) === key.keyRingId;
    if (!key || !there) throw noKey(name);
    if (id !== name.toLowerCase() && !key.aliases.includes(name)) throw noKey(name); // the MAC covers aliases in the key's row
    return key;
  }
}

/** The answer for a key that is not there. */
export function noKey(name: string): KeysteadError {
  return new KeysteadError('KEY_NOT_FOUND', `there is no key ${name} in this instance and key ring`);
}

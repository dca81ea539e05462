import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { KeysteadError } from '../shared/errors.js';
import { Key, KeyAlias, KeyVersion } from './key.entity.js';
import type { KeyTarget } from './key-target.js';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Finds keys as clients name them. Always in the database: a key that was disabled elsewhere is disabled here. */
@Injectable()
export class KeyStore {
  constructor(private readonly db: DataSource) {}

  /** The key of that id or alias, in the ring that was named. KEY_NOT_FOUND. */
  find(target: KeyTarget): Promise<Key> {
    return this.#find(this.db.manager, target, false);
  }

  /** The same, and nobody changes it before the transaction ends. */
  lock(tx: EntityManager, target: KeyTarget): Promise<Key> {
    return this.#find(tx, target, true);
  }

  /** The latest version of the key. */
  async latest(key: Key): Promise<KeyVersion> {
    return this.db.manager.findOneByOrFail(KeyVersion, { id: key.versionId, keyId: key.id });
  }

  /** A version of the key; null when it has none of that id. */
  version(key: Key, versionId: string): Promise<KeyVersion | null> {
    if (!UUID.test(versionId)) return Promise.resolve(null);
    return this.db.manager.findOneBy(KeyVersion, { id: versionId.toLowerCase(), keyId: key.id });
  }

  /** The id behind an id or alias; undefined when no alias is so called. */
  async idOf(instanceId: string, key: string): Promise<string | undefined> {
    if (UUID.test(key)) return key.toLowerCase();
    return (await this.db.manager.findOneBy(KeyAlias, { instanceId, alias: key }))?.keyId;
  }

  async #find(db: EntityManager, target: KeyTarget, lock: boolean): Promise<Key> {
    const { instanceId, keyRingId, key: name } = target;
    const id = await this.idOf(instanceId, name);
    if (id === undefined) throw noKey(name);
    const where = { id, instanceId, ...(keyRingId !== undefined && { keyRingId }) };
    const key = await db.findOne(Key, { where, ...(lock && { lock: { mode: 'pessimistic_write' as const } }) });
    if (key === null) throw noKey(name);
    if (id !== name.toLowerCase() && !key.aliases.includes(name)) throw noKey(name); // the MAC covers aliases in the key's row
    return key;
  }
}

/** The answer for a key that is not there. */
export function noKey(name: string): KeysteadError {
  return new KeysteadError('KEY_NOT_FOUND', `there is no key ${name} in this instance and key ring`);
}

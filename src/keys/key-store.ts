import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { FreshRows } from '../database/fresh-rows.js';
import { ReadLane, rowsOf } from '../database/read-lane.js';
import { KeysteadError } from '../shared/errors.js';
import { isUuid } from '../shared/uuid.js';
import { Key, KeyAlias, KeyVersion } from './key.entity.js';
import type { KeyTarget } from './key-target.js';

/** A key is hardly ever read for anything but its latest version: both come in one statement, as of one moment. */
const WITH_LATEST = {
  name: 'keys-with-latest',
  id: '"k"."id"',
  mark: '"k"."xmin", "k"."ctid", "v"."xmin", "v"."ctid"',
  columns: `
    "k".*, "v"."keyId" AS "latestKeyId", "v"."instanceId" AS "latestInstanceId", "v"."algorithm" AS "latestAlgorithm",
    "v"."blob" AS "latestBlob", "v"."mac" AS "latestMac", "v"."wraps" AS "latestWraps", "v"."createdAt" AS "latestCreatedAt"`,
  from: (ids: string) =>
    `FROM "keys" "k" LEFT JOIN "key_versions" "v" ON "v"."id" = "k"."versionId" WHERE "k"."id" = ANY(${ids})`,
};
const VERSIONS = rowsOf('key_versions', 'id');

/** Finds keys as clients name them. Always in the database: a key that was disabled elsewhere is disabled here. */
@Injectable()
export class KeyStore {
  readonly #keys: FreshRows<Key>;
  readonly #versions: FreshRows<KeyVersion>;
  /** What was read with a key; undefined for one that was not read here. */
  readonly #latest = new WeakMap<Key, KeyVersion>();

  constructor(
    private readonly db: DataSource,
    lane: ReadLane,
  ) {
    this.#keys = new FreshRows(lane, WITH_LATEST, (columns) => this.#take(columns as KeyWithLatest));
    this.#versions = new FreshRows(lane, VERSIONS, (columns) => Object.freeze(columns as KeyVersion));
  }

  /** The key of that id or alias, in the ring that was named, not to be changed. KEY_NOT_FOUND. */
  find(target: KeyTarget): Promise<Key> {
    return this.#find(target, (id) => this.#keys.find(id));
  }

  /** The same, as of some moment since the request came: for its first look at the key. */
  findAsAsked(target: KeyTarget): Promise<Key> {
    return this.#find(target, (id) => target.ahead ?? this.#keys.find(id));
  }

  /** Begins to read the key of that id if it was read before: for `target.ahead`. Of names nobody knows the database is not asked. */
  ahead(name: string): Promise<Key | null> | undefined {
    const read = isUuid(name) ? this.#keys.findKnown(name.toLowerCase()) : undefined;
    read?.catch(() => undefined); // who asks may be refused before anybody waits for it
    return read;
  }

  /** The same, and nobody changes it before the transaction ends. */
  lock(tx: EntityManager, target: KeyTarget): Promise<Key> {
    return this.#find(target, (id) => tx.findOne(Key, { where: { id }, lock: { mode: 'pessimistic_write' } }));
  }

  /** The latest version of the key: at once, when it was read with the key. */
  latest(key: Key): KeyVersion | Promise<KeyVersion> {
    const latest = this.#latest.get(key);
    return latest?.keyId === key.id ? latest : this.#readLatest(key);
  }

  async #readLatest(key: Key): Promise<KeyVersion> {
    const version = await this.version(key, key.versionId);
    if (version !== null) return version;
    throw new KeysteadError('KEY_ROW_INVALID', `the latest version of key ${key.id} is not stored; restore it`);
  }

  /** A version of the key; null when it has none of that id. */
  async version(key: Key, versionId: string): Promise<KeyVersion | null> {
    if (!isUuid(versionId)) return null;
    const id = versionId.toLowerCase();
    const latest = id === key.versionId ? this.#latest.get(key) : undefined;
    const version = latest ?? (await this.#versions.find(id));
    return version?.keyId === key.id ? version : null;
  }

  /** The id behind an id or alias; undefined when no alias is so called. */
  async idOf(instanceId: string, key: string): Promise<string | undefined> {
    if (isUuid(key)) return key.toLowerCase();
    return (await this.db.manager.findOneBy(KeyAlias, { instanceId, alias: key }))?.keyId;
  }

  /** Many share what is read: nobody may change it. */
  #take(row: KeyWithLatest): Key {
    const {
      latestKeyId,
      latestInstanceId,
      latestAlgorithm,
      latestBlob,
      latestMac,
      latestWraps,
      latestCreatedAt,
      ...key
    } = row;
    if (latestKeyId !== null) {
      const latest: KeyVersion = {
        id: key.versionId,
        keyId: latestKeyId,
        instanceId: latestInstanceId,
        algorithm: latestAlgorithm,
        blob: latestBlob,
        mac: latestMac,
        wraps: latestWraps,
        createdAt: latestCreatedAt,
      };
      this.#latest.set(key, Object.freeze(latest));
    }
    return Object.freeze(key);
  }

  async #find(target: KeyTarget, read: (id: string) => Promise<Key | null>): Promise<Key> {
    const { instanceId, keyRingId, key: name } = target;
    const id = isUuid(name) ? name.toLowerCase() : await this.idOf(instanceId, name);
    if (id === undefined) throw noKey(name);
    const key = await read(id);
    const there = key?.instanceId === instanceId && (keyRingId ?? key.keyRingId) === key.keyRingId;
    if (!key || !there) throw noKey(name);
    if (id !== name.toLowerCase() && !key.aliases.includes(name)) throw noKey(name); // the MAC covers aliases in the key's row
    return key;
  }
}

interface KeyWithLatest extends Key {
  readonly latestKeyId: string | null;
  readonly latestInstanceId: string;
  readonly latestAlgorithm: string;
  readonly latestBlob: Buffer;
  readonly latestMac: Buffer;
  readonly latestWraps: string;
  readonly latestCreatedAt: Date;
}

/** The answer for a key that is not there. */
export function noKey(name: string): KeysteadError {
  return new KeysteadError('KEY_NOT_FOUND', `there is no key ${name} in this instance and key ring`);
}

import { Injectable } from '@nestjs/common';
import type { Caller } from '../access/caller.js';
import { noHealthyUpstream } from '../crypto-units/no-healthy-upstream.js';
import { UnitPicker } from '../crypto-units/unit-picker.js';
import { FreshRows } from '../database/fresh-rows.js';
import { ReadLane, rowsOf } from '../database/read-lane.js';
import { KeysteadError } from '../shared/errors.js';
import type { AccessKey } from './access-key.entity.js';
import type { AccessKeyDialect } from './access-key.js';
import { accessKeyRow, secretAad } from './access-key-row.js';
import { isAccessKeyId } from './access-key-text.js';

/** Clients send bursts of requests: a secret that was unsealed is kept for so long, and no longer. */
const SECRET_KEPT_MS = 1_000;
const MOST_SECRETS = 1_000;

export interface FoundAccessKey {
  /** `id` is the access key's; its roles hold in the instance. */
  readonly caller: Caller;
  /** A copy: wipe it after use. */
  readonly secret: Buffer;
  readonly instanceId: string;
}

/** Finds the access keys with which requests are signed; in the database each time, so that a revocation holds at once. */
@Injectable()
export class AccessKeys {
  readonly #byId: FreshRows<AccessKey>;
  /** By the row as it was read: another one when it was changed. */
  readonly #secrets = new Map<AccessKey, Buffer>();

  constructor(
    lane: ReadLane,
    private readonly units: UnitPicker,
  ) {
    this.#byId = new FreshRows(lane, rowsOf('access_keys', 'id'), (columns) => Object.freeze(columns as AccessKey));
  }

  /**
   * null: unknown, of another dialect, revoked or expired. The secret is unsealed in a unit: NO_HEALTHY_UPSTREAM;
   * KEY_ROW_INVALID when the row was changed behind Keystead's back.
   */
  async find(id: string, dialect: AccessKeyDialect, address?: string): Promise<FoundAccessKey | null> {
    if (!isAccessKeyId(id, dialect)) return null;
    const key = await this.#byId.find(id);
    if (key?.dialect !== dialect || key.revokedAt !== null) return null;
    if (key.expiresAt !== null && key.expiresAt <= new Date()) return null;
    const secret = await this.#secretOf(key);
    const { name, roles, scopes, instanceId } = key;
    const everywhere = roles.map((role) => ({ role, instanceId }));
    const caller: Caller = { id, name, roles: [], scopes: [...everywhere, ...scopes], address };
    return { caller, secret, instanceId };
  }

  async #secretOf(key: AccessKey): Promise<Buffer> {
    const known = this.#secrets.get(key);
    if (known !== undefined) return Buffer.from(known);
    const { result } = await this.units
      .use(key.instanceId, (unit) => unit.decrypt(accessKeyRow(key), key.blob, key.mac, secretAad(key.id), key.sealed))
      .catch(tellNothing);
    if (this.#secrets.size < MOST_SECRETS) this.#keep(key, Buffer.from(result));
    return result;
  }

  #keep(key: AccessKey, secret: Buffer): void {
    this.#secrets.get(key)?.fill(0);
    this.#secrets.set(key, secret);
    setTimeout(() => {
      secret.fill(0);
      if (this.#secrets.get(key) === secret) this.#secrets.delete(key);
    }, SECRET_KEPT_MS).unref();
  }
}

/** Who asks is not known yet: he hears that no unit serves, and of no unit. */
function tellNothing(cause: unknown): never {
  throw cause instanceof KeysteadError && cause.code === 'NO_HEALTHY_UPSTREAM' ? noHealthyUpstream([]) : cause;
}

import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Caller } from '../access/caller.js';
import { noHealthyUpstream } from '../crypto-units/no-healthy-upstream.js';
import { UnitPicker } from '../crypto-units/unit-picker.js';
import { KeysteadError } from '../shared/errors.js';
import { AccessKey } from './access-key.entity.js';
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
  readonly #secrets = new Map<string, Buffer>();

  constructor(
    private readonly db: DataSource,
    private readonly units: UnitPicker,
  ) {}

  /**
   * null: unknown, of another dialect, revoked or expired. The secret is unsealed in a unit: NO_HEALTHY_UPSTREAM;
   * KEY_ROW_INVALID when the row was changed behind Keystead's back.
   */
  async find(id: string, dialect: AccessKeyDialect, address?: string): Promise<FoundAccessKey | null> {
    if (!isAccessKeyId(id, dialect)) return null;
    const key = await this.db.manager.findOneBy(AccessKey, { id, dialect });
    if (key === null || key.revokedAt !== null || (key.expiresAt !== null && key.expiresAt <= new Date())) return null;
    const secret = await this.#secretOf(key);
    const { name, roles, scopes, instanceId } = key;
    const everywhere = roles.map((role) => ({ role, instanceId }));
    const caller: Caller = { id, name, roles: [], scopes: [...everywhere, ...scopes], address };
    return { caller, secret, instanceId };
  }

  async #secretOf(key: AccessKey): Promise<Buffer> {
    const row = accessKeyRow(key);
    const cacheKey = JSON.stringify([row, key.mac.toString('base64'), key.sealed.toString('base64')]);
    const known = this.#secrets.get(cacheKey);
    if (known !== undefined) return Buffer.from(known);
    const { result } = await this.units
      .use(key.instanceId, (unit) => unit.decrypt(row, key.blob, key.mac, secretAad(key.id), key.sealed))
      .catch(tellNothing);
    if (this.#secrets.size < MOST_SECRETS) this.#keep(cacheKey, Buffer.from(result));
    return result;
  }

  #keep(cacheKey: string, secret: Buffer): void {
    this.#secrets.get(cacheKey)?.fill(0);
    this.#secrets.set(cacheKey, secret);
    setTimeout(() => {
      secret.fill(0);
      if (this.#secrets.get(cacheKey) === secret) this.#secrets.delete(cacheKey);
    }, SECRET_KEPT_MS).unref();
  }
}

/** Who asks is not known yet: he hears that no unit serves, and of no unit. */
function tellNothing(cause: unknown): never {
  throw cause instanceof KeysteadError && cause.code === 'NO_HEALTHY_UPSTREAM' ? noHealthyUpstream([]) : cause;
}

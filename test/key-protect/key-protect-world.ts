import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { hashOfApiKey, makeApiKey } from '../../src/access/api-key-text.js';
import type { Role } from '../../src/shared/permissions.js';
import { World } from '../world.js';
import { CheckedProxy } from './checked-proxy.js';

/** Timers short enough to wait for, long enough to be too early in between. */
export const SHORT_TIMERS = {
  KEYSTEAD_TIMER_ENABLE_MS: '1500',
  KEYSTEAD_TIMER_RESTORE_MS: '1500',
} as const;

export interface Got {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: specs look into answers of every shape
  readonly body: any;
}

export interface Sending {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly apiKey?: string;
}

/** An initialised instance behind a proxy that checks every answer. */
export class KeyProtectWorld {
  private constructor(
    readonly world: World,
    readonly proxy: CheckedProxy,
  ) {}

  static async start(env: Readonly<Record<string, string>> = SHORT_TIMERS, units: 2 | 3 = 2): Promise<KeyProtectWorld> {
    const world = await World.initialised(units, { env });
    try {
      return new KeyProtectWorld(world, await CheckedProxy.start(world.url));
    } catch (cause) {
      await world.end();
      throw cause;
    }
  }

  get instance(): string {
    return this.world.instance;
  }

  get url(): string {
    return this.proxy.url;
  }

  async end(): Promise<void> {
    await this.proxy.end();
    await this.world.end();
  }

  /** A request as plain HTTP; a body that is a string goes as it is. */
  async send(method: string, path: string, { body, headers = {}, apiKey }: Sending = {}): Promise<Got> {
    const answer = await fetch(this.url + path, {
      method,
      headers: {
        authorization: `Bearer ${apiKey ?? this.world.apiKey}`,
        'bluemix-instance': this.instance,
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, text, body: text === '' ? undefined : JSON.parse(text) };
  }

  /** Makes a key and gives its resource. */
  async create(resource: object = {}, headers: Readonly<Record<string, string>> = {}) {
    const body = keyCollection({ name: 'a key', extractable: false, ...resource });
    const made = await this.send('POST', '/api/v2/keys', { body, headers });
    if (made.status !== 201) throw new Error(`${made.status}: ${made.text}\n${this.world.logTail()}`);
    return made.body.resources[0];
  }

  /** An API key with the roles, put into the database. */
  async apiKeyWith(...roles: Role[]): Promise<string> {
    const text = makeApiKey();
    const client = new pg.Client({ connectionString: this.world.databaseUrl });
    await client.connect();
    try {
      await client.query(
        `INSERT INTO "api_keys" ("id", "name", "hash", "roles", "scopes", "createdAt") VALUES ($1, $2, $3, $4, '[]', now())`,
        [randomUUID(), roles.join('+') || 'nobody', hashOfApiKey(text), roles],
      );
    } finally {
      await client.end();
    }
    return text;
  }
}

export const KEY_TYPE = 'application/vnd.ibm.kms.key+json';
export const POLICY_TYPE = 'application/vnd.ibm.kms.policy+json';

export function keyCollection(...resources: object[]) {
  return { metadata: { collectionType: KEY_TYPE, collectionTotal: resources.length }, resources };
}

export function policyCollection(...resources: object[]) {
  return { metadata: { collectionType: POLICY_TYPE, collectionTotal: resources.length }, resources };
}

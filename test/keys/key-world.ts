import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import type { Grant } from '../../src/access/scope.js';
import type { Role } from '../../src/shared/permissions.js';
import { AgentConnection, CryptoClient } from '../../src/unit-agent/client.js';
import { until } from '../until.js';
import { type Answer, World } from '../world.js';

const KEY_TYPE = 'application/vnd.ibm.kms.key+json';
const POLICY_TYPE = 'application/vnd.ibm.kms.policy+json';

/** An initialised instance, whose database a spec can look into and spoil. */
export class KeyWorld {
  private constructor(
    readonly world: World,
    readonly db: pg.Client,
  ) {}

  static async start(env: Readonly<Record<string, string>> = {}): Promise<KeyWorld> {
    const world = await World.initialised(2, { env });
    const db = new pg.Client({ connectionString: world.databaseUrl });
    await db.connect();
    return new KeyWorld(world, db);
  }

  async end(): Promise<void> {
    await this.db.end();
    await this.world.end();
  }

  get instance(): string {
    return this.world.instance;
  }

  /** A request to the API of keys, as the first Manager or with another API key. */
  send(method: string, path: string, body?: unknown, { apiKey, ring }: Asking = {}): Promise<Answer> {
    return this.world.api(method, `/api/v2/${path}`, body, {
      'bluemix-instance': this.instance,
      ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
      ...(ring !== undefined && { 'x-kms-key-ring': ring }),
    });
  }

  /** Makes a key, a generated root key unless the resource says otherwise, and gives its id. */
  async key(resource: object = {}, asking: Asking = {}): Promise<string> {
    const made = await this.send('POST', 'keys', keyBody(resource), asking);
    if (made.status !== 201) throw new Error(`${made.status}: ${made.text}\n${this.world.logTail()}`);
    return made.body.resources[0].id;
  }

  async state(id: string): Promise<number> {
    return (await this.send('GET', `keys/${id}/metadata`)).body.resources[0].state;
  }

  setPolicy(id: string, policy: object): Promise<Answer> {
    return this.send('PUT', `keys/${id}/policies`, policyBody({ type: POLICY_TYPE, ...policy }));
  }

  /** An API key with roles, everywhere or in the given scopes. */
  async apiKey(roles: Role[], scopes: Grant[] = []): Promise<{ id: string; apiKey: string }> {
    const { status, body, text } = await this.world.api('POST', '/api/v1/api-keys', {
      name: 'somebody',
      roles,
      scopes,
    });
    if (status !== 201) throw new Error(text);
    return body;
  }

  /** Waits until a row of the database says so. */
  async untilRow(sql: string, ...parameters: unknown[]): Promise<void> {
    const why = () => `never true: ${sql}\n${this.world.logTail()}`;
    await until(async () => ((await this.db.query(sql, parameters)).rowCount ?? 0) > 0, 20_000, why);
  }

  /** A connection of our own, as another API process would have it, to the agent of a unit. */
  async cryptoClient(unitId: string): Promise<CryptoClient> {
    const { world } = this;
    const pem = readFileSync(join(world.dataDir, 'instances', this.instance, 'kms-user.pem'));
    const socket = join(world.dir, 'run', `${unitId}.sock`);
    return CryptoClient.open(await AgentConnection.connect(socket, { deadlineMs: 10_000 }), createPrivateKey(pem));
  }
}

interface Asking {
  readonly apiKey?: string;
  readonly ring?: string;
}

export function keyBody(resource: object) {
  const resources = [{ type: KEY_TYPE, name: 'a key', extractable: false, ...resource }];
  return { metadata: { collectionType: KEY_TYPE, collectionTotal: 1 }, resources };
}

export function policyBody(...resources: object[]) {
  return { metadata: { collectionType: POLICY_TYPE, collectionTotal: resources.length }, resources };
}

/** What an answer refuses with: its status and reason. */
export function refusalOf({ status, body }: Answer): [number, string | undefined] {
  return [status, body?.resources?.[0]?.reasons?.[0]?.code];
}

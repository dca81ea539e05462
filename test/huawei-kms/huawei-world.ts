import 'reflect-metadata';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { OPERATIONS } from '../../src/dialects/huawei-kms/operations.js';
import { isKmsCode, KMS_ERRORS } from '../../src/dialects/huawei-kms/refusals.js';
import { World } from '../world.js';

/** Jobs come by often, and nobody is kept waiting for having failed before. */
const ENVIRONMENT = { KEYSTEAD_LIMIT_FAILED_ATTEMPTS: '0', KEYSTEAD_TIMER_DUE_KEYS_MS: '300' };

const FRESH_MS = 3_000;

export interface Got {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: specs look into answers of every shape
  readonly body: any;
}

export interface Sending {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface HuaweiKey {
  readonly accessKeyId: string;
  readonly secret: string;
  readonly project: string;
}

const ErrorBody = z.strictObject({
  error: z.strictObject({ error_code: z.string(), error_msg: z.string().min(1) }),
  error_code: z.string(),
  error_msg: z.string(),
});

/** An initialised instance with an access key of the dialect. Every answer is held against the schema of its operation. */
export class HuaweiWorld {
  #token: string | undefined;
  #tokenMadeAt = 0;

  private constructor(
    readonly world: World,
    readonly key: HuaweiKey,
  ) {}

  static async start(env: Readonly<Record<string, string>> = {}): Promise<HuaweiWorld> {
    const world = await World.initialised(2, { env: { ...ENVIRONMENT, ...env } });
    try {
      return await HuaweiWorld.of(world);
    } catch (cause) {
      await world.end();
      throw cause;
    }
  }

  /** A world that is initialised already. */
  static async of(world: World): Promise<HuaweiWorld> {
    return new HuaweiWorld(world, await accessKey(world));
  }

  get url(): string {
    return this.world.url;
  }

  get host(): string {
    return new URL(this.url).host;
  }

  get path(): string {
    return `/v1.0/${this.key.project}/kms`;
  }

  end(): Promise<void> {
    return this.world.end();
  }

  /** One more access key of the instance. */
  newKey(...roles: string[]): Promise<HuaweiKey> {
    return accessKey(this.world, roles);
  }

  /** One more access key, that may do nothing. */
  async newKeyWithoutRoles(): Promise<HuaweiKey> {
    const body = { dialect: 'huawei', instanceId: this.world.instance, name: 'nobody', roles: [], scopes: [] };
    const made = await this.world.api('POST', '/api/v1/access-keys', body);
    if (made.status !== 201) throw new Error(`${made.status}: ${made.text}`);
    const { accessKeyId, accessKeySecret, projectId } = made.body;
    return { accessKeyId, secret: accessKeySecret, project: projectId };
  }

  /** A request as it is, with these headers and no others. */
  async send(path: string, { method = 'GET', headers = {}, body }: Sending = {}): Promise<Got> {
    const got = await new Promise<Got>((resolve, reject) => {
      const { hostname, port } = new URL(this.url);
      const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
      const all = { ...headers, ...length };
      const asked = httpRequest({ hostname, port, method, path, headers: all, agent: false }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const { statusCode: status = 0, headers: given } = answer;
          resolve({ status, headers: given, text, body: text === '' ? undefined : JSON.parse(text) });
        });
      });
      asked.on('error', reject);
      asked.end(body);
    });
    assertShape(method, path, got);
    return got;
  }

  /** A request with a token; of the world's access key unless another one is given. */
  async ask(method: string, path: string, body?: unknown, key = this.key): Promise<Got> {
    const token = key === this.key ? await this.token() : await this.login(key);
    return this.send(`/v1.0/${key.project}/kms/${path}`, {
      method,
      headers: { 'x-auth-token': token, 'content-type': 'application/json' },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
  }

  post(operation: string, body: unknown = {}, key = this.key): Promise<Got> {
    return this.ask('POST', operation, body, key);
  }

  /** The answer of an operation that is expected to work. */
  // biome-ignore lint/suspicious/noExplicitAny: as in Got
  async ok(operation: string, body: unknown = {}, key = this.key): Promise<any> {
    const got = await this.post(operation, body, key);
    const log = got.status >= 500 ? this.world.logTail() : '';
    if (got.status >= 300) throw new Error(`${operation}: ${got.status} ${got.text}\n${log}`);
    return got.body;
  }

  /** The code with which an operation is refused. */
  async refusal(operation: string, body: unknown = {}, key = this.key): Promise<string> {
    const got = await this.post(operation, body, key);
    if (got.status < 400) throw new Error(`${operation} was not refused: ${got.text}`);
    return got.body.error_code;
  }

  /** The id of a new key. */
  async newCmk(more: object = {}): Promise<string> {
    const alias = `key-${process.hrtime.bigint().toString(36)}`;
    return (await this.ok('create-key', { key_alias: alias, ...more })).key_info.key_id;
  }

  async state(keyId: string): Promise<string> {
    return (await this.ok('describe-key', { key_id: keyId })).key_info.key_state;
  }

  /** A token that is not old: some worlds let them end soon. */
  async token(): Promise<string> {
    if (this.#token === undefined || Date.now() - this.#tokenMadeAt > FRESH_MS) {
      this.#tokenMadeAt = Date.now();
      this.#token = await this.login(this.key);
    }
    return this.#token;
  }

  async login({ accessKeyId, secret, project }: HuaweiKey): Promise<string> {
    const user = { name: accessKeyId, password: secret, domain: { name: 'OTC' } };
    const auth = { identity: { methods: ['password'], password: { user } }, scope: { project: { id: project } } };
    const got = await this.send('/v3/auth/tokens', { method: 'POST', body: JSON.stringify({ auth }) });
    if (got.status !== 201) throw new Error(`login: ${got.status} ${got.text}`);
    return String(got.headers['x-subject-token']);
  }
}

async function accessKey(world: World, roles: readonly string[] = []): Promise<HuaweiKey> {
  const given = roles.flatMap((role) => ['--role', role]);
  const args = ['access-key', 'create', '--dialect', 'huawei', '--name', 'tests', '-o', 'json', ...given];
  const made = await world.kp(...args);
  if (made.code !== 0) throw new Error(`access-key create failed: ${made.stdout}${made.stderr}\n${world.logTail()}`);
  const { access_key_id, access_key_secret, project_id } = JSON.parse(made.stdout);
  return { accessKeyId: access_key_id, secret: access_key_secret, project: project_id };
}

/** Throws when an answer of the dialect is not what its operation, or every refusal, looks like. */
function assertShape(method: string, path: string, { status, headers, text, body }: Got): void {
  const [plain = ''] = path.split('?');
  if (!plain.startsWith('/v1.0/') || status === 401) return;
  const type = headers['content-type'];
  if (status < 300) {
    const operation = OPERATIONS.find((one) => one.method === method && matches(one.path, plain));
    if (operation?.answer === null && (status !== 204 || text !== '')) throw new Error(`${path}: not 204 and nothing`);
    if (operation?.answer) {
      if (status !== 200 || !/^application\/json; ?charset=utf-8$/.test(type ?? ''))
        throw new Error(`${path}: ${type}`);
      operation.answer.parse(body);
    }
    return;
  }
  const { error, ...top } = ErrorBody.parse(body);
  if (!isDeepStrictEqual(error, top) || !isKmsCode(error.error_code)) throw new Error(`${path}: ${text}`);
  if (KMS_ERRORS[error.error_code][0] !== status) throw new Error(`${path}: ${status} for ${error.error_code}`);
}

function matches(served: string, path: string): boolean {
  const names = served.split('/');
  const segments = path.split('/');
  return names.length === segments.length && names.every((name, at) => name.startsWith(':') || name === segments[at]);
}

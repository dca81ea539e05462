import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { KeysteadError } from '../shared/errors.js';
import type { FactsAnswer } from '../unit-agent/protocol.js';
import {
  AccessKey,
  ApiKey,
  AuditLines,
  CryptoUser,
  Facts,
  Instance,
  MadeAccessKey,
  MadeApiKey,
  Operation,
  Unit,
} from './api-shapes.js';
import { type CliContext, CommandFailure, usage } from './context.js';
import { readText } from './files.js';
import { jsonOf, refusalOf } from './refusals.js';
import type { HttpRequest, HttpResponse } from './transport.js';

const DEFAULT_TARGET = 'http://127.0.0.1:8080';
const API_KEYS = '/api/v1/api-keys';
const ACCESS_KEYS = '/api/v1/access-keys';
const TIMEOUT_MS = 30_000;
/** A signed command may make an RSA pair in every unit. */
export const COMMAND_TIMEOUT_MS = 120_000;

export interface Asking {
  /** Sent as JSON; no body at all when it is left out. */
  readonly body?: object | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** The server, as `kp` sees it: one method per call, answers checked, refusals thrown as KeysteadError with their code. */
export class Api {
  readonly #instanceHeaders: Record<string, string>;

  private constructor(
    private readonly ctx: CliContext,
    readonly target: URL,
    private readonly apiKey: string,
    readonly instanceId: string | null,
  ) {
    this.#instanceHeaders = instanceId === null ? {} : { 'instance-id': instanceId, 'bluemix-instance': instanceId };
  }

  /** The server of KP_TARGET_ADDR with the API key of KP_API_KEY or KP_API_KEY_FILE; contacts nobody. */
  static async open(ctx: CliContext): Promise<Api> {
    return new Api(ctx, targetOf(ctx), await apiKeyOf(ctx), null);
  }

  /** The same server, speaking of one instance. */
  of(instanceId: string): Api {
    return new Api(this.ctx, this.target, this.apiKey, instanceId);
  }

  createInstance(name: string, units: number): Promise<Instance> {
    return this.call('POST', '/api/v1/instances', Instance, { body: { name, crypto_units: units } });
  }
  async instances(): Promise<Instance[]> {
    return (await this.call('GET', '/api/v1/instances', z.looseObject({ instances: z.array(Instance) }))).instances;
  }
  instance(id: string): Promise<Instance> {
    return this.call('GET', `/api/v1/instances/${encodeURIComponent(id)}`, Instance);
  }
  deleteInstance(id: string): Promise<unknown> {
    return this.call('DELETE', `/api/v1/instances/${encodeURIComponent(id)}`, z.unknown());
  }
  units(): Promise<Unit[]> {
    return this.call('GET', '/api/v1/cryptounits', z.array(Unit));
  }
  unit(id: string): Promise<Unit> {
    return this.call('GET', unitPath(id), Unit);
  }
  /** What the unit says of itself now, signed by its receipt key over our nonce when it has one. */
  async facts(id: string, nonce: string, capabilities = false): Promise<FactsAnswer> {
    const query = new URLSearchParams({ nonce, ...(capabilities && { capabilities: 'true' }) });
    const answer = await this.call('GET', `${unitPath(id)}/facts?${query}`, Facts);
    return answer as unknown as FactsAnswer;
  }
  claim(id: string, plan: string, certificate: string): Promise<{ receipt: string; state: string }> {
    const answer = z.looseObject({ receipt: z.string(), state: z.string() });
    return this.call('POST', `${unitPath(id)}/claim`, answer, {
      body: { plan, certificate },
      timeoutMs: COMMAND_TIMEOUT_MS,
    });
  }
  maintenance(id: string, on: boolean): Promise<Unit> {
    return this.call('PUT', `${unitPath(id)}/maintenance`, Unit, { body: { on } });
  }
  replace(id: string, lost: boolean): Promise<Unit> {
    return this.call('POST', `${unitPath(id)}/replace`, Unit, { body: { lost }, timeoutMs: COMMAND_TIMEOUT_MS });
  }
  cryptoUser(): Promise<z.infer<typeof CryptoUser>> {
    return this.call('GET', '/api/v1/cryptouser/metadata', CryptoUser);
  }
  operate(documents: readonly string[]): Promise<Operation> {
    return this.call('POST', '/api/v1/operations', Operation, { body: { documents }, timeoutMs: COMMAND_TIMEOUT_MS });
  }
  operation(id: string): Promise<Operation> {
    return this.call('GET', `/api/v1/operations/${encodeURIComponent(id)}`, Operation);
  }
  /** Members that are undefined are left out. */
  async audit(filter: Readonly<Record<string, string | undefined>>): Promise<z.infer<typeof AuditLines>['lines']> {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(filter)) if (value !== undefined) query.set(name, value);
    return (await this.call('GET', `/api/v1/audit?${query}`, AuditLines)).lines;
  }
  /** The only answer that holds the key itself. */
  createApiKey(asked: object): Promise<z.infer<typeof MadeApiKey>> {
    return this.call('POST', API_KEYS, MadeApiKey, { body: asked });
  }
  async apiKeys(): Promise<ApiKey[]> {
    return (await this.call('GET', API_KEYS, z.looseObject({ apiKeys: z.array(ApiKey) }))).apiKeys;
  }
  revokeApiKey(id: string): Promise<ApiKey | undefined> {
    return this.call('DELETE', `${API_KEYS}/${id}`, ApiKey.optional());
  }

  /** The only answer that holds the secret itself. */
  createAccessKey(asked: object): Promise<z.infer<typeof MadeAccessKey>> {
    return this.call('POST', ACCESS_KEYS, MadeAccessKey, { body: asked });
  }
  async accessKeys(): Promise<AccessKey[]> {
    return (await this.call('GET', ACCESS_KEYS, z.looseObject({ accessKeys: z.array(AccessKey) }))).accessKeys;
  }
  revokeAccessKey(id: string): Promise<AccessKey> {
    return this.call('DELETE', `${ACCESS_KEYS}/${encodeURIComponent(id)}`, AccessKey);
  }

  /** One exchange whose answer may be of any length; `take` gets it in parts. */
  async download(method: HttpRequest['method'], path: string, take: (part: Buffer) => void): Promise<void> {
    await this.#exchange(method, path, { timeoutMs: COMMAND_TIMEOUT_MS }, take);
  }

  /** One exchange: the answer as the schema knows it, or the refusal. An answer without a body is undefined to the schema. */
  async call<T>(method: HttpRequest['method'], path: string, schema: z.ZodType<T>, asking: Asking = {}): Promise<T> {
    const response = await this.#exchange(method, path, asking);
    const empty = response.status === 204 || response.text === '';
    const answer = schema.safeParse(empty ? undefined : jsonOf(response.text));
    if (answer.success) return answer.data;
    const place = answer.error.issues[0]?.path.join('.') || 'its body';
    throw new KeysteadError('INTERNAL', `${this.target.origin} answered ${path} in a way kp does not know (${place})`);
  }

  async #exchange(
    method: HttpRequest['method'],
    path: string,
    { body, headers: more, timeoutMs = TIMEOUT_MS }: Asking,
    take?: (part: Buffer) => void,
  ): Promise<HttpResponse> {
    const headers = {
      accept: 'application/json',
      authorization: `Bearer ${this.apiKey}`,
      'correlation-id': randomUUID(),
      ...this.#instanceHeaders,
      ...more,
    };
    const url = new URL(this.target.href.replace(/\/$/, '') + path);
    const request = { method, url, headers, timeoutMs, ...(body !== undefined && { body: JSON.stringify(body) }) };
    const response = await this.ctx.request({ ...request, ...(take !== undefined && { take }) });
    if (response.status < 200 || response.status > 299) throw refusalOf(response, url);
    return response;
  }
}

const unitPath = (id: string) => `/api/v1/cryptounits/${encodeURIComponent(id)}`;

function targetOf(ctx: CliContext): URL {
  const text = ctx.env['KP_TARGET_ADDR'] || DEFAULT_TARGET;
  if (!URL.canParse(text))
    throw usage(`KP_TARGET_ADDR is not a URL: ${text}`, `export KP_TARGET_ADDR=${DEFAULT_TARGET}`);
  const url = new URL(text);
  if (url.protocol === 'http:' || url.protocol === 'https:') return url;
  throw usage(`KP_TARGET_ADDR must begin with http:// or https://, not ${url.protocol}//`);
}

async function apiKeyOf(ctx: CliContext): Promise<string> {
  const { KP_API_KEY: key, KP_API_KEY_FILE: file } = ctx.env;
  const found = (key || (file ? await readText(file, 'API key file') : '')).trim();
  if (/^[\x21-\x7e]+$/.test(found)) return found;
  throw new CommandFailure(
    'UNAUTHENTICATED',
    found === ''
      ? "there is no API key: set KP_API_KEY or KP_API_KEY_FILE; the server's first one is the file bootstrap-api-key in its data directory"
      : 'the API key holds characters that an HTTP header cannot carry; check KP_API_KEY or KP_API_KEY_FILE',
    'export KP_API_KEY_FILE=.keystead/bootstrap-api-key',
  );
}

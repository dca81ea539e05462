import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { type ErrorCode, isErrorCode, KeysteadError } from '../shared/errors.js';
import type { FactsAnswer } from '../unit-agent/protocol.js';
import {
  AuditLines,
  CryptoUser,
  ErrorBody,
  Facts,
  Instance,
  KeyCollection,
  Operation,
  Unit,
  WrappedKey,
} from './api-shapes.js';
import { type CliContext, CommandFailure, usage } from './context.js';
import { readText } from './files.js';
import type { HttpRequest, HttpResponse } from './transport.js';

const DEFAULT_TARGET = 'http://127.0.0.1:8080';
const TIMEOUT_MS = 30_000;
/** A signed command may make an RSA pair in every unit. */
const COMMAND_TIMEOUT_MS = 120_000;

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
    return this.#call('POST', '/api/v1/instances', Instance, { name, crypto_units: units });
  }
  async instances(): Promise<Instance[]> {
    return (await this.#call('GET', '/api/v1/instances', z.looseObject({ instances: z.array(Instance) }))).instances;
  }
  instance(id: string): Promise<Instance> {
    return this.#call('GET', `/api/v1/instances/${encodeURIComponent(id)}`, Instance);
  }
  deleteInstance(id: string): Promise<unknown> {
    return this.#call('DELETE', `/api/v1/instances/${encodeURIComponent(id)}`, z.unknown());
  }
  units(): Promise<Unit[]> {
    return this.#call('GET', '/api/v1/cryptounits', z.array(Unit));
  }
  unit(id: string): Promise<Unit> {
    return this.#call('GET', unitPath(id), Unit);
  }
  /** What the unit says of itself now, signed by its receipt key over our nonce when it has one. */
  async facts(id: string, nonce: string): Promise<FactsAnswer> {
    const answer = await this.#call('GET', `${unitPath(id)}/facts?nonce=${nonce}`, Facts);
    return answer as unknown as FactsAnswer;
  }
  claim(id: string, plan: string, certificate: string): Promise<{ receipt: string; state: string }> {
    const answer = z.looseObject({ receipt: z.string(), state: z.string() });
    return this.#call('POST', `${unitPath(id)}/claim`, answer, { plan, certificate }, COMMAND_TIMEOUT_MS);
  }
  maintenance(id: string, on: boolean): Promise<Unit> {
    return this.#call('PUT', `${unitPath(id)}/maintenance`, Unit, { on });
  }
  replace(id: string): Promise<Unit> {
    return this.#call('POST', `${unitPath(id)}/replace`, Unit, {}, COMMAND_TIMEOUT_MS);
  }
  cryptoUser(): Promise<z.infer<typeof CryptoUser>> {
    return this.#call('GET', '/api/v1/cryptouser/metadata', CryptoUser);
  }
  operate(documents: readonly string[]): Promise<Operation> {
    return this.#call('POST', '/api/v1/operations', Operation, { documents }, COMMAND_TIMEOUT_MS);
  }
  operation(id: string): Promise<Operation> {
    return this.#call('GET', `/api/v1/operations/${encodeURIComponent(id)}`, Operation);
  }
  async audit(limit: number, before: string | undefined): Promise<z.infer<typeof AuditLines>['lines']> {
    const query = new URLSearchParams({ limit: String(limit), ...(before !== undefined && { before }) });
    return (await this.#call('GET', `/api/v1/audit?${query}`, AuditLines)).lines;
  }
  createKey(name: string): Promise<z.infer<typeof KeyCollection>> {
    const type = 'application/vnd.ibm.kms.key+json';
    const body = {
      metadata: { collectionType: type, collectionTotal: 1 },
      resources: [{ type, name, extractable: false }],
    };
    return this.#call('POST', '/api/v2/keys', KeyCollection, body);
  }
  useKey(id: string, action: 'wrap' | 'unwrap', body: object): Promise<z.infer<typeof WrappedKey>> {
    return this.#call('POST', `/api/v2/keys/${encodeURIComponent(id)}/actions/${action}`, WrappedKey, body);
  }

  async #call<T>(
    method: HttpRequest['method'],
    path: string,
    schema: z.ZodType<T>,
    body?: object,
    timeoutMs = TIMEOUT_MS,
  ): Promise<T> {
    const headers = {
      accept: 'application/json',
      authorization: `Bearer ${this.apiKey}`,
      'correlation-id': randomUUID(),
      ...this.#instanceHeaders,
    };
    const url = new URL(this.target.href.replace(/\/$/, '') + path);
    const request = { method, url, headers, timeoutMs, ...(body !== undefined && { body: JSON.stringify(body) }) };
    const response = await this.ctx.request(request);
    if (response.status < 200 || response.status > 299) throw refusalOf(response, url);
    if (response.status === 204 || response.text === '') return schema.parse(undefined);
    const answer = schema.safeParse(jsonOf(response.text));
    if (answer.success) return answer.data;
    const place = answer.error.issues[0]?.path.join('.') || 'its body';
    throw new KeysteadError('INTERNAL', `${url.origin} answered ${path} in a way kp does not know (${place})`);
  }
}

const unitPath = (id: string) => `/api/v1/cryptounits/${encodeURIComponent(id)}`;

/** The parsed JSON, or undefined for text that is not JSON: the schema then refuses it. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined;
    throw cause;
  }
}

/** What an HTTP status means when the body names none of our codes. */
const BY_STATUS: ReadonlyMap<number, ErrorCode> = new Map([
  [400, 'BAD_REQUEST'],
  [401, 'UNAUTHENTICATED'],
  [403, 'FORBIDDEN'],
  [404, 'NOT_FOUND'],
  [409, 'INSTANCE_STATE'],
  [413, 'BODY_TOO_LARGE'],
  [422, 'BAD_REQUEST'],
  [503, 'NO_HEALTHY_UPSTREAM'],
]);

function refusalOf(response: HttpResponse, url: URL): KeysteadError {
  const body = ErrorBody.safeParse(jsonOf(response.text));
  const resource = body.success ? body.data.resources[0] : undefined;
  const reason = resource?.reasons?.[0];
  const code = isErrorCode(reason?.code) ? reason.code : (BY_STATUS.get(response.status) ?? 'INTERNAL');
  if (code === 'UNAUTHENTICATED') {
    return new CommandFailure(code, `${url.origin} does not accept the API key`, 'export KP_API_KEY_FILE=FILE');
  }
  const message = reason?.message ?? resource?.errorMsg ?? `${url.origin}${url.pathname} answered ${response.status}`;
  return new KeysteadError(code, message);
}

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

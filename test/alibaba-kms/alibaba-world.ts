import { constants, createHash, publicEncrypt, randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { percentEncoded } from '../../src/dialects/alibaba-kms/percent.js';
import { signatureV1, stringToSignV1 } from '../../src/dialects/alibaba-kms/signature-v1.js';
import { World } from '../world.js';

// biome-ignore lint/suspicious/noExplicitAny: clients and answers of every shape
type Any = any;

/** The packages are CommonJS, with types of their own that do not go together. */
export const load = createRequire(import.meta.url) as (name: string) => Any;

export interface AccessKey {
  readonly access_key_id: string;
  readonly access_key_secret: string;
}

/** What a refused call came to. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

export interface Got {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Any;
}

export const ALGORITHMS = ['RSAES_PKCS1_V1_5', 'RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];
const PADDING = {
  RSAES_PKCS1_V1_5: { padding: constants.RSA_PKCS1_PADDING },
  RSAES_OAEP_SHA_1: { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' },
  RSAES_OAEP_SHA_256: { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
} as const;

/** Encrypts material as a client does, with what GetParametersForImport gave. */
export function wrapped(material: Buffer, publicKey: string, algorithm: Algorithm): string {
  const key = { key: Buffer.from(publicKey, 'base64'), format: 'der', type: 'spki', ...PADDING[algorithm] } as const;
  return publicEncrypt(key, material).toString('base64');
}

/** An initialised instance with an access key. */
export class AlibabaWorld {
  private constructor(
    readonly world: World,
    readonly accessKey: AccessKey,
  ) {}

  static async start(env: Readonly<Record<string, string>> = {}): Promise<AlibabaWorld> {
    const world = await World.initialised(2, { env: { KEYSTEAD_LIMIT_FAILED_ATTEMPTS: '0', ...env } });
    try {
      return await AlibabaWorld.of(world);
    } catch (cause) {
      await world.end();
      throw cause;
    }
  }

  /** A world that is initialised already. */
  static async of(world: World): Promise<AlibabaWorld> {
    return new AlibabaWorld(world, await accessKeyIn(world));
  }

  /** Host and port. */
  get endpoint(): string {
    return new URL(this.world.url).host;
  }

  end(): Promise<void> {
    return this.world.end();
  }

  anotherAccessKey(...options: string[]): Promise<AccessKey> {
    return accessKeyIn(this.world, options);
  }

  /** Asks as pop-core does, and gives the body; throws what pop-core throws. */
  ask(action: string, parameters: Readonly<Record<string, unknown>> = {}, method = 'POST'): Promise<Any> {
    const client = new (load('@alicloud/pop-core'))({
      accessKeyId: this.accessKey.access_key_id,
      accessKeySecret: this.accessKey.access_key_secret,
      endpoint: this.world.url,
      apiVersion: '2016-01-20',
    });
    return client.request(action, parameters, { method, timeout: 20_000 });
  }

  /** Asks what must be refused. */
  async refused(action: string, parameters: Readonly<Record<string, string>> = {}): Promise<Refusal> {
    const { status, body, text } = await this.send(action, parameters);
    if (status < 400) throw new Error(`${action} was served: ${text}`);
    return { status, code: body.Code, message: body.Message };
  }

  /** A request signed by us as plain HTTP: members of `parameters` that are empty are sent empty, `undefined` ones not. */
  send(
    action: string,
    parameters: Readonly<Record<string, string | undefined>> = {},
    { method = 'POST', key = this.accessKey, headers = {} as Record<string, string> } = {},
  ): Promise<Got> {
    return this.fetch(method, `/?${signedQuery(action, parameters, key, method)}`, { headers });
  }

  async fetch(
    method: string,
    path: string,
    init: { headers?: Record<string, string>; body?: string } = {},
  ): Promise<Got> {
    const answer = await fetch(this.world.url + path, { method, ...init });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, text, body: JSON.parse(text) };
  }

  async createKey(parameters: Readonly<Record<string, string>> = { Origin: 'EXTERNAL' }): Promise<string> {
    return (await this.ask('CreateKey', parameters)).KeyMetadata.KeyId;
  }

  async stateOf(key: string): Promise<string> {
    return (await this.ask('DescribeKey', { KeyId: key })).KeyMetadata.KeyState;
  }

  parametersFor(key: string, algorithm: Algorithm = 'RSAES_OAEP_SHA_256'): Promise<Any> {
    const WrappingKeySpec = 'RSA_2048';
    return this.ask('GetParametersForImport', { KeyId: key, WrappingKeySpec, WrappingAlgorithm: algorithm });
  }

  /** What ImportKeyMaterial wants, for a new set of parameters. */
  async importOf(
    key: string,
    material: Buffer,
    algorithm: Algorithm = 'RSAES_OAEP_SHA_256',
  ): Promise<Record<string, string>> {
    const { PublicKey, ImportToken } = await this.parametersFor(key, algorithm);
    return { KeyId: key, ImportToken, EncryptedKeyMaterial: wrapped(material, PublicKey, algorithm) };
  }

  async import(key: string, material: Buffer, more: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.ask('ImportKeyMaterial', { ...(await this.importOf(key, material)), ...more });
  }

  /** An external key with this material. */
  async keyWith(material: Buffer): Promise<string> {
    const key = await this.createKey();
    await this.import(key, material);
    return key;
  }
}

async function accessKeyIn(world: World, options: readonly string[] = []): Promise<AccessKey> {
  const args = ['access-key', 'create', '--dialect', 'alibaba', '--name', 'tests', '-o', 'json', ...options];
  const { code, stdout, stderr } = await world.kp(...args);
  if (code !== 0) throw new Error(`access-key create failed: ${stderr}\n${world.logTail()}`);
  return JSON.parse(stdout);
}

/** A query signed with HMAC-SHA1. */
export function signedQuery(
  action: string,
  parameters: Readonly<Record<string, string | undefined>>,
  { access_key_id, access_key_secret }: AccessKey,
  method = 'POST',
): string {
  const all: Record<string, string | undefined> = {
    Action: action,
    Version: '2016-01-20',
    Format: 'JSON',
    AccessKeyId: access_key_id,
    SignatureMethod: 'HMAC-SHA1',
    SignatureVersion: '1.0',
    SignatureNonce: randomUUID(),
    Timestamp: timeText(new Date()),
    ...parameters,
  };
  const pairs = Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== undefined);
  const signature = signatureV1(Buffer.from(access_key_secret), stringToSignV1(method, pairs)).toString('base64');
  return [...pairs, ['Signature', signature] as const]
    .map(([name, value]) => `${percentEncoded(name)}=${percentEncoded(value)}`)
    .join('&');
}

export function timeText(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z');
}

export const sha256Hex = (text: string): string => createHash('sha256').update(text).digest('hex');

import { z } from 'zod';
import { type Api, COMMAND_TIMEOUT_MS } from './api.js';
import type { CliContext } from './context.js';
import {
  Alias,
  ImportToken,
  InstancePolicy,
  Key,
  KeyPolicy,
  KeyRing,
  listOf,
  oneOf,
  Registration,
  RetrievedToken,
  Unwrapped,
  Versions,
  Wrapped,
} from './key-shapes.js';
import type { KeyRingOptions } from './options.js';
import { openInstance } from './target.js';

const KEY_TYPE = 'application/vnd.ibm.kms.key+json';
const POLICY_TYPE = 'application/vnd.ibm.kms.policy+json';
/** The most that one page may hold. */
const PAGE = '5000';
const WHOLE = { prefer: 'return=representation' };

export type Query = Readonly<Record<string, string | undefined>>;
/** The actions that answer nothing. */
export type PlainAction = 'rotate' | 'disable' | 'enable' | 'setKeyForDeletion' | 'unsetKeyForDeletion' | 'sync';

/** IBM Key Protect's API v2 of one instance: one method per call. `{key}` is an id or an alias. */
export class KeyProtect {
  readonly #ring: Readonly<Record<string, string>>;

  private constructor(
    private readonly api: Api,
    keyRing: string | undefined,
  ) {
    this.#ring = keyRing === undefined ? {} : { 'x-kms-key-ring': keyRing };
  }

  static async open(ctx: CliContext, options: KeyRingOptions): Promise<KeyProtect> {
    return new KeyProtect(await openInstance(ctx, options), options.keyRing);
  }

  create(resource: object, overrides: boolean): Promise<Key> {
    const path = overrides ? '/keys_with_policy_overrides' : '/keys';
    return this.#one('POST', path, Key, { body: collection(KEY_TYPE, { type: KEY_TYPE, ...resource }) });
  }
  async keys(query: Query): Promise<Key[]> {
    return (await this.#ask('GET', `/keys${queryOf(query)}`, listOf(Key))).resources;
  }
  /** With the payload, when it is a standard key. */
  key(key: string): Promise<Key> {
    return this.#one('GET', `/keys/${key}`, Key);
  }
  metadata(key: string): Promise<Key> {
    return this.#one('GET', `/keys/${key}/metadata`, Key);
  }
  move(key: string, keyRingID: string): Promise<Key> {
    return this.#one('PATCH', `/keys/${key}`, Key, { body: { keyRingID } });
  }
  /** The deleted key; undefined from a server that only says that it is done. */
  delete(key: string, force: boolean): Promise<Key | undefined> {
    return this.#gone(`/keys/${key}${queryOf({ force: force ? 'true' : undefined })}`);
  }
  purge(key: string): Promise<Key | undefined> {
    return this.#gone(`/keys/${key}/purge`);
  }
  restore(key: string, material: object | undefined): Promise<Key> {
    const body = material && collection(KEY_TYPE, material);
    return this.#one('POST', `/keys/${key}/restore`, Key, { body, headers: WHOLE });
  }
  versions(key: string, query: Query): Promise<z.infer<typeof Versions>> {
    return this.#ask('GET', `/keys/${key}/versions${queryOf(query)}`, Versions);
  }
  act(key: string, action: PlainAction, body?: object): Promise<unknown> {
    return this.#ask('POST', `/keys/${key}/actions/${action}`, z.unknown(), { body });
  }
  wrap(key: string, body: object): Promise<z.infer<typeof Wrapped>> {
    return this.#ask('POST', `/keys/${key}/actions/wrap`, Wrapped, { body });
  }
  unwrap(key: string, body: object): Promise<z.infer<typeof Unwrapped>> {
    return this.#ask('POST', `/keys/${key}/actions/unwrap`, Unwrapped, { body });
  }
  rewrap(key: string, body: object): Promise<z.infer<typeof Wrapped>> {
    return this.#ask('POST', `/keys/${key}/actions/rewrap`, Wrapped, { body });
  }

  async policies(key: string, policy: string | undefined): Promise<KeyPolicy[]> {
    return (await this.#ask('GET', `/keys/${key}/policies${queryOf({ policy })}`, listOf(KeyPolicy))).resources;
  }
  async setPolicy(key: string, policy: 'rotation' | 'dualAuthDelete', value: object): Promise<KeyPolicy[]> {
    const body = collection(POLICY_TYPE, { type: POLICY_TYPE, [policy]: value });
    return (await this.#ask('PUT', `/keys/${key}/policies?policy=${policy}`, listOf(KeyPolicy), { body })).resources;
  }
  async instancePolicies(policy: string | undefined): Promise<InstancePolicy[]> {
    const path = `/instance/policies${queryOf({ policy })}`;
    return (await this.#ask('GET', path, listOf(InstancePolicy))).resources;
  }
  setInstancePolicy(policy: { readonly policy_type: string; readonly policy_data: object }): Promise<unknown> {
    const body = collection(POLICY_TYPE, policy);
    return this.#ask('PUT', `/instance/policies?policy=${policy.policy_type}`, z.unknown(), { body });
  }

  createAlias(key: string, alias: string): Promise<z.infer<typeof Alias>> {
    return this.#one('POST', `/keys/${key}/aliases/${alias}`, Alias);
  }
  deleteAlias(key: string, alias: string): Promise<unknown> {
    return this.#ask('DELETE', `/keys/${key}/aliases/${alias}`, z.unknown());
  }
  async keyRings(): Promise<z.infer<typeof KeyRing>[]> {
    return (await this.#ask('GET', `/key_rings?limit=${PAGE}`, listOf(KeyRing))).resources;
  }
  createKeyRing(id: string): Promise<unknown> {
    return this.#ask('POST', `/key_rings/${id}`, z.unknown());
  }
  deleteKeyRing(id: string, force: boolean): Promise<unknown> {
    return this.#ask('DELETE', `/key_rings/${id}${queryOf({ force: force ? 'true' : undefined })}`, z.unknown());
  }
  /** Of one key, or of all; `crn` may hold wildcards. */
  async registrations(key: string | undefined, crn: string | undefined): Promise<z.infer<typeof Registration>[]> {
    const query = queryOf({ limit: PAGE, urlEncodedResourceCRNQuery: crn });
    const path = `/keys/${key === undefined ? '' : `${key}/`}registrations${query}`;
    return (await this.#ask('GET', path, listOf(Registration))).resources;
  }
  /** Waits as long as a unit may take to make an RSA pair. */
  createImportToken(limits: object): Promise<z.infer<typeof ImportToken>> {
    return this.#ask('POST', '/import_token', ImportToken, { body: limits, timeoutMs: COMMAND_TIMEOUT_MS });
  }
  /** Uses up one retrieval. */
  importToken(): Promise<z.infer<typeof RetrievedToken>> {
    return this.#ask('GET', '/import_token', RetrievedToken);
  }

  async #gone(path: string): Promise<Key | undefined> {
    const answer = await this.#ask('DELETE', path, oneOf(Key).optional(), { headers: WHOLE });
    return answer?.resources[0];
  }

  async #one<T extends z.ZodType>(method: Method, path: string, one: T, asking: Asking = {}): Promise<z.infer<T>> {
    const { resources } = await this.#ask(method, path, oneOf(one), asking);
    return resources[0] as z.infer<T>;
  }

  #ask<T>(method: Method, path: string, schema: z.ZodType<T>, { headers, ...asking }: Asking = {}): Promise<T> {
    return this.api.call(method, `/api/v2${path}`, schema, { ...asking, headers: { ...this.#ring, ...headers } });
  }
}

type Method = Parameters<Api['call']>[0];
type Asking = NonNullable<Parameters<Api['call']>[3]>;

const collection = (collectionType: string, resource: object) => ({
  metadata: { collectionType, collectionTotal: 1 },
  resources: [resource],
});

/** `?a=b&c=d` without what is undefined; empty when nothing is left. */
function queryOf(query: Query): string {
  const given = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}

import { Injectable } from '@nestjs/common';
import { FreshRows } from '../database/fresh-rows.js';
import { ReadLane, rowsOf } from '../database/read-lane.js';
import { equalBytes } from '../shared/bytes.js';
import { KeysteadError } from '../shared/errors.js';
import { isLowerCaseUuid } from '../shared/uuid.js';
import { ApiKey } from './api-key.entity.js';
import { hashOfApiKey, isApiKey } from './api-key-text.js';
import type { Caller } from './caller.js';
import { FailedAttempts } from './failed-attempts.js';
import { TokenKey } from './token-key.js';

const BEARER = /^Bearer +(\S+) *$/i;
/** The claim of our tokens that names the API key they were made from. */
export const API_KEY_CLAIM = 'apikey_id';

const BY_HASH = rowsOf('api_keys', 'hash', `encode("hash", 'hex')`, (hash) => Buffer.from(hash, 'hex'));
const BY_ID = rowsOf('api_keys', 'id');

/** The headers that matter, as node gives them: lower-case names. */
export interface AuthenticationHeaders {
  readonly authorization?: string | undefined;
}

/** Answers who sent a request. Asks the database every time, so a revocation holds from the next request on. */
@Injectable()
export class Authentication {
  readonly #byHash: FreshRows<ApiKey>;
  readonly #byId: FreshRows<ApiKey>;

  constructor(
    lane: ReadLane,
    private readonly tokens: TokenKey,
    private readonly attempts: FailedAttempts,
  ) {
    const take = (columns: object) => Object.freeze(columns as ApiKey);
    this.#byHash = new FreshRows(lane, BY_HASH, take);
    this.#byId = new FreshRows(lane, BY_ID, take);
  }

  /**
   * The caller that `Authorization: Bearer` names, with an API key or with an access token made from one.
   * UNAUTHENTICATED for every other request, without a reason why; RATE_LIMITED for an address that fails too often.
   */
  authenticate(headers: AuthenticationHeaders, address?: string): Promise<Caller> {
    const text = BEARER.exec(headers.authorization ?? '')?.[1];
    return this.#caller(text ?? '', address, async (digest) => {
      if (text === undefined) return null;
      return isApiKey(text) ? this.#byDigest(digest) : this.#byToken(text);
    });
  }

  /** The caller whose API key this is: what the exchange for an access token asks. Errors as above. */
  exchange(apiKey: string, address: string | undefined): Promise<Caller> {
    return this.#caller(apiKey, address, async (digest) => (isApiKey(apiKey) ? this.#byDigest(digest) : null));
  }

  /** `find` gets the credential's SHA-256: of an API key, what the database holds. */
  async #caller(
    credential: string,
    address: string | undefined,
    find: (digest: Buffer) => Promise<ApiKey | null>,
  ): Promise<Caller> {
    const digest = hashOfApiKey(credential);
    const subject = digest.toString('base64url');
    if (address !== undefined) this.attempts.check(address, subject);
    const key = await find(digest);
    if (key !== null && isLive(key, new Date())) {
      const { id, name, roles, scopes, bootstrap } = key;
      return { id, name, roles, scopes, bootstrap: bootstrap === true, address };
    }
    if (address !== undefined) await this.attempts.note(address, subject);
    throw unauthenticated();
  }

  async #byDigest(digest: Buffer): Promise<ApiKey | null> {
    const key = await this.#byHash.find(digest.toString('hex'));
    return key !== null && equalBytes(key.hash, digest) ? key : null;
  }

  async #byToken(text: string): Promise<ApiKey | null> {
    const id = (await this.tokens.verify(text))?.[API_KEY_CLAIM];
    return typeof id === 'string' && isLowerCaseUuid(id) ? this.#byId.find(id) : null;
  }
}

function isLive(key: ApiKey, now: Date): boolean {
  return key.revokedAt === null && (key.expiresAt === null || key.expiresAt > now);
}

/** One answer for a missing, malformed, unknown, expired and revoked key, and for an address that is not let in. */
export function unauthenticated(): KeysteadError {
  return new KeysteadError('UNAUTHENTICATED', 'a valid API key is needed: Authorization: Bearer kp_…');
}

import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { equalBytes } from '../shared/bytes.js';
import { KeysteadError } from '../shared/errors.js';
import { ApiKey } from './api-key.entity.js';
import { hashOfApiKey, isApiKey } from './api-key-text.js';
import type { Caller } from './caller.js';

const BEARER = /^Bearer +(\S+) *$/i;

/** The headers that matter, as node gives them: lower-case names. */
export interface AuthenticationHeaders {
  readonly authorization?: string | undefined;
}

/** Answers who sent a request. Asks the database every time, so a revocation holds from the next request on. */
@Injectable()
export class Authentication {
  constructor(private readonly db: DataSource) {}

  /** The caller that the API key in `Authorization: Bearer` names. UNAUTHENTICATED for every other request, without a reason why. */
  async authenticate(headers: AuthenticationHeaders): Promise<Caller> {
    const text = BEARER.exec(headers.authorization ?? '')?.[1];
    if (text === undefined || !isApiKey(text)) throw unauthenticated();
    const hash = hashOfApiKey(text);
    const key = await this.db.manager.findOneBy(ApiKey, { hash });
    if (key === null || !equalBytes(key.hash, hash) || !isLive(key, new Date())) throw unauthenticated();
    return { id: key.id, name: key.name, roles: key.roles };
  }
}

function isLive(key: ApiKey, now: Date): boolean {
  return key.revokedAt === null && (key.expiresAt === null || key.expiresAt > now);
}

/** One answer for a missing, malformed, unknown, expired and revoked key. */
function unauthenticated(): KeysteadError {
  return new KeysteadError('UNAUTHENTICATED', 'a valid API key is needed: Authorization: Bearer kp_…');
}

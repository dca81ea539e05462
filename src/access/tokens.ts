import { Injectable } from '@nestjs/common';
import { Config } from '../config/config.js';
import { API_KEY_CLAIM, Authentication } from './authentication.js';
import { iamIdOf } from './caller.js';
import { TokenKey } from './token-key.js';

/** What /identity/token and /oidc/token answer; times in seconds. */
export interface IssuedToken {
  readonly accessToken: string;
  readonly tokenType: 'Bearer';
  readonly expiresIn: number;
  /** Epoch. */
  readonly expiration: number;
}

/** Access tokens (JWT, ES256): each stands for an API key, for an hour, and ends with the key. */
@Injectable()
export class AccessTokens {
  constructor(
    private readonly authentication: Authentication,
    private readonly key: TokenKey,
    private readonly config: Config,
  ) {}

  /** A token for the API key. UNAUTHENTICATED for any other text; RATE_LIMITED after too many of them. */
  async issue(apiKey: string, address: string | undefined): Promise<IssuedToken> {
    const caller = await this.authentication.exchange(apiKey, address);
    const issuedAt = Math.floor(Date.now() / 1000);
    const expiresIn = Math.max(1, Math.floor(this.config.timers.token / 1000));
    const expiration = issuedAt + expiresIn;
    const claims = {
      iam_id: iamIdOf(caller),
      id: iamIdOf(caller),
      realmid: 'iam',
      identifier: `ServiceId-${caller.id}`,
      sub: `ServiceId-${caller.id}`,
      sub_type: 'ServiceId',
      name: caller.name,
      grant_type: 'urn:ibm:params:oauth:grant-type:apikey',
      scope: 'ibm openid',
      client_id: 'default',
      [API_KEY_CLAIM]: caller.id,
    };
    const accessToken = await this.key.sign(claims, issuedAt, expiration);
    return { accessToken, tokenType: 'Bearer', expiresIn, expiration };
  }

  /** The public half, as /identity/keys publishes it. */
  jwks(): Promise<{ readonly keys: readonly object[] }> {
    return this.key.jwks();
  }
}

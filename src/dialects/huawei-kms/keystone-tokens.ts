import { Injectable } from '@nestjs/common';
import { TokenKey } from '../../access/token-key.js';
import { Config } from '../../config/config.js';

/** What our other tokens do not say, so that one kind is not taken for the other. */
const AUDIENCE = 'keystone';

export interface IssuedToken {
  readonly token: string;
  readonly issuedAt: Date;
  readonly expiresAt: Date;
}

/** Tokens of the identity API (JWT, ES256): each stands for an access key, for a day, and ends with the key. */
@Injectable()
export class KeystoneTokens {
  constructor(
    private readonly key: TokenKey,
    private readonly config: Config,
  ) {}

  async issue(accessKeyId: string): Promise<IssuedToken> {
    const issuedAt = Math.floor(Date.now() / 1000);
    const expiresAt = issuedAt + Math.max(1, Math.floor(this.config.timers.keystoneToken / 1000));
    const token = await this.key.sign({ aud: AUDIENCE, sub: accessKeyId }, issuedAt, expiresAt);
    return { token, issuedAt: new Date(issuedAt * 1000), expiresAt: new Date(expiresAt * 1000) };
  }

  /** The access key that the token stands for; undefined when it is no token of this kind, or has expired. */
  async accessKeyIn(token: string): Promise<string | undefined> {
    const claims = await this.key.verify(token);
    return claims?.['aud'] === AUDIENCE && typeof claims['sub'] === 'string' ? claims['sub'] : undefined;
  }
}

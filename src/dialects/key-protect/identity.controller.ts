import { Controller, Get, HttpCode, Post, Req, Res } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AccessTokens } from '../../access/tokens.js';
import { HTTP_STATUS, KeysteadError } from '../../shared/errors.js';

const API_KEY_GRANT = 'urn:ibm:params:oauth:grant-type:apikey';

/** What IBM's token service calls a refusal; anything else is said in the words of the server. */
const IAM = {
  UNAUTHENTICATED: { errorCode: 'BXNIM0415E', errorMessage: 'Provided API key could not be found.' },
  BAD_REQUEST: { errorCode: 'BXNIM0109E', errorMessage: `The grant type must be ${API_KEY_GRANT}, with an apikey.` },
  RATE_LIMITED: { errorCode: 'BXNIM0503E', errorMessage: 'Too many failed attempts. Please wait and try again.' },
} as const;

const REFUSED_AS_IAM = {
  answerTo: (error: KeysteadError, requestId: string) => {
    const known = Object.hasOwn(IAM, error.code) ? IAM[error.code as keyof typeof IAM] : undefined;
    const status = error.code === 'UNAUTHENTICATED' ? 400 : HTTP_STATUS[error.code];
    const said = known ?? { errorCode: 'BXNIM0500E', errorMessage: error.message };
    return { status, body: { ...said, context: { requestId } } };
  },
};

/** What IBM's clients ask of their identity service: an access token for an API key, and the keys that verify it. */
@Controller()
export class IdentityController {
  constructor(private readonly tokens: AccessTokens) {}

  @Post(['identity/token', 'oidc/token'])
  @HttpCode(200)
  @RouteConfig(REFUSED_AS_IAM)
  async token(@Req() { body, ip }: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    const form = new URLSearchParams(Buffer.isBuffer(body) ? body.toString('utf8') : '');
    const apiKey = form.get('apikey');
    if (form.get('grant_type') !== API_KEY_GRANT || apiKey === null) {
      throw new KeysteadError('BAD_REQUEST', 'the form holds no grant of an API key');
    }
    const { accessToken, tokenType, expiresIn, expiration } = await this.tokens.issue(apiKey, ip);
    reply.header('Pragma', 'no-cache');
    return {
      access_token: accessToken,
      refresh_token: 'not_supported',
      token_type: tokenType,
      expires_in: expiresIn,
      expiration,
      scope: 'ibm openid',
    };
  }

  @Get('identity/keys')
  keys() {
    return this.tokens.jwks();
  }
}

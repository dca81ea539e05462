import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Caller } from '../../access/caller.js';
import { FailedAttempts } from '../../access/failed-attempts.js';
import { AccessKeys, type FoundAccessKey } from '../../access-keys/access-keys.js';
import { clientAddress } from '../../http/client-address.js';
import { equalBytes, sha256 } from '../../shared/bytes.js';
import { needs } from '../../shared/errors.js';
import type { SignedRequest } from './canonical-request.js';
import { KeystoneTokens } from './keystone-tokens.js';
import { GatewayRefusal } from './refusals.js';
import { isFresh, isSignedBy, parseAuthorization } from './signature.js';

const MOST_BODY_BYTES = 1 << 16;

/** Who asks: an access key, and the instance it belongs to. */
export interface Identity {
  readonly accessKeyId: string;
  readonly caller: Caller;
  readonly instanceId: string;
}

/** Answers who sent a request, by its token or its signature. Every failure counts against the address. */
@Injectable()
export class Identification {
  constructor(
    private readonly accessKeys: AccessKeys,
    private readonly tokens: KeystoneTokens,
    private readonly attempts: FailedAttempts,
  ) {}

  /** The identity that `X-Auth-Token` or the signature names. GatewayRefusal for any other; RATE_LIMITED. */
  async ofRequest(request: FastifyRequest): Promise<Identity> {
    const signed = await signedRequestOf(request);
    const token = signed.headers['x-auth-token'];
    if (token !== undefined && token !== '') return this.#ofToken(token, clientAddress(request));
    const authorization = parseAuthorization(signed.headers['authorization'] ?? '');
    if (authorization === undefined) throw new GatewayRefusal('missing');
    const { accessKeyId } = authorization;
    return this.#identity(accessKeyId, clientAddress(request), 'signature', (secret) => {
      return isSignedBy(secret, authorization, signed) && isFresh(signed, Date.now());
    });
  }

  /** The identity with this password, which is the secret of its access key. Errors as above. */
  ofPassword(accessKeyId: string, password: string, address: string): Promise<Identity> {
    return this.#identity(accessKeyId, address, 'token', (secret) => equalBytes(sha256(secret), sha256(password)));
  }

  async #ofToken(token: string, address: string): Promise<Identity> {
    const subject = sha256(token).toString('base64url');
    this.attempts.check(address, subject);
    const accessKeyId = await this.tokens.accessKeyIn(token);
    const found = accessKeyId === undefined ? null : await this.accessKeys.find(accessKeyId, 'huawei', address);
    if (found === null) {
      await this.attempts.note(address, subject);
      throw new GatewayRefusal('token');
    }
    found.secret.fill(0);
    return identityOf(found);
  }

  async #identity(
    accessKeyId: string,
    address: string,
    refusal: 'signature' | 'token',
    proves: (secret: Buffer) => boolean,
  ): Promise<Identity> {
    const subject = sha256(accessKeyId).toString('base64url');
    this.attempts.check(address, subject);
    const found = await this.accessKeys.find(accessKeyId, 'huawei', address);
    const proven = found !== null && proves(found.secret);
    found?.secret.fill(0);
    if (proven) return identityOf(found);
    await this.attempts.note(address, subject);
    throw new GatewayRefusal(refusal);
  }
}

function identityOf({ caller, instanceId }: FoundAccessKey): Identity {
  return { accessKeyId: caller.id, caller, instanceId };
}

/** The request as its sender signed it: the URL before any routing, the body as bytes. */
async function signedRequestOf(request: FastifyRequest): Promise<SignedRequest> {
  const { method, originalUrl: url, headers } = request;
  request.body ??= await bodyOf(request);
  const plain = Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(',') : value]);
  return { method, url, headers: Object.fromEntries(plain), body: request.body as Buffer };
}

/** The listener reads no body of a GET or DELETE; the vendor's clients send some, and sign them. */
async function bodyOf({ raw }: FastifyRequest): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  // what is too long stays unread: destroyed, the request could not be answered
  for await (const chunk of raw.iterator({ destroyOnReturn: false })) {
    length += (chunk as Buffer).length;
    needs(length <= MOST_BODY_BYTES, 'BODY_TOO_LARGE', `this body is larger than ${MOST_BODY_BYTES} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { linkSync } from 'node:fs';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { calculateJwkThumbprint, exportJWK, type JWK, jwtVerify, SignJWT } from 'jose';
import { Config } from '../config/config.js';
import { fsyncDir, isThere, readPrivateFile, removeDurably, writeDurably } from '../shared/durable-file.js';
import { KeysteadError } from '../shared/errors.js';

const FILE_NAME = 'token-key.pem';
const ISSUER = 'keystead';
const ALGORITHM = 'ES256';

interface Pair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly jwk: JWK;
}

/** The key that signs access tokens: ECDSA P-256, a 0600 file in the directory that all replicas share. */
@Injectable()
export class TokenKey {
  #pair: Promise<Pair> | undefined;

  constructor(private readonly config: Config) {}

  /** A JWT (RFC 7519, ES256) with the claims, `iat` now and `exp` at the given time, both in seconds. */
  async sign(claims: Readonly<Record<string, unknown>>, issuedAt: number, expiresAt: number): Promise<string> {
    const { privateKey, jwk } = await this.#load();
    return new SignJWT({ ...claims })
      .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT', kid: jwk.kid ?? '' })
      .setIssuer(ISSUER)
      .setIssuedAt(issuedAt)
      .setExpirationTime(expiresAt)
      .sign(privateKey);
  }

  /** The claims of a token of ours that has not expired; undefined for anything else. */
  async verify(token: string): Promise<Readonly<Record<string, unknown>> | undefined> {
    const { publicKey } = await this.#load();
    const options = { algorithms: [ALGORITHM], issuer: ISSUER, typ: 'JWT', requiredClaims: ['exp', 'iat'] };
    return jwtVerify(token, publicKey, options).then(
      ({ payload }) => payload,
      () => undefined, // forged, cut, expired: all the same
    );
  }

  /** The public half as a JWK set (RFC 7517). */
  async jwks(): Promise<{ readonly keys: readonly JWK[] }> {
    return { keys: [(await this.#load()).jwk] };
  }

  #load(): Promise<Pair> {
    this.#pair ??= pairOf(join(this.config.sharedDir, FILE_NAME)).catch((cause) => {
      this.#pair = undefined;
      throw cause;
    });
    return this.#pair;
  }
}

async function pairOf(file: string): Promise<Pair> {
  if (!isThere(file)) make(file);
  const pem = readPrivateFile(file);
  if (pem === undefined) {
    throw new KeysteadError(
      'CONFIG_INVALID',
      `${file} must be a regular file that only its owner can read (mode 0600)`,
    );
  }
  const privateKey = createPrivateKey(pem);
  const publicKey = createPublicKey(privateKey);
  const jwk = await exportJWK(publicKey);
  return { privateKey, publicKey, jwk: { ...jwk, kid: await calculateJwkThumbprint(jwk), alg: ALGORITHM, use: 'sig' } };
}

/** Of several processes that make it at once, one wins for all. */
function make(file: string): void {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const draft = `${file}.${randomUUID()}`;
  writeDurably(draft, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  try {
    linkSync(draft, file);
    fsyncDir(join(file, '..'));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
  } finally {
    removeDurably(draft);
  }
}

import { createHmac } from 'node:crypto';
import { sha256 } from '../../shared/bytes.js';
import { canonicalQuery, formPairs } from './percent.js';

const ALGORITHM = 'ACS3-HMAC-SHA256';
const AUTHORIZATION = /^ACS3-HMAC-SHA256 +Credential=([^,]+), *SignedHeaders=([a-z0-9;-]+), *Signature=([0-9a-f]{64})$/;

/** The parts of an `Authorization` of this signature. */
export interface Acs3Authorization {
  readonly accessKeyId: string;
  /** Lower-case names, in the order in which they are signed. */
  readonly signedHeaders: readonly string[];
  /** 32 bytes. */
  readonly signature: Buffer;
}

/** Undefined for a header that is not of this signature, or not well formed. */
export function acs3Authorization(header: string): Acs3Authorization | undefined {
  const [, accessKeyId, names, signature] = AUTHORIZATION.exec(header.trim()) ?? [];
  if (accessKeyId === undefined || names === undefined || signature === undefined) return undefined;
  return { accessKeyId, signedHeaders: names.split(';'), signature: Buffer.from(signature, 'hex') };
}

/** What is signed of a request. */
export interface Acs3Request {
  readonly method: string;
  /** Raw, without `?`. */
  readonly query: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
}

/** The request in the one form that is signed; the hash at its end is of the body that came, whatever the header says. */
export function canonicalRequestAcs3(request: Acs3Request, signedHeaders: readonly string[]): string {
  const headers = signedHeaders.map((name) => `${name}:${(request.headers[name] ?? '').trim()}\n`);
  return [
    request.method,
    '/',
    canonicalQuery(formPairs(request.query)),
    headers.join(''),
    signedHeaders.join(';'),
    sha256(request.body).toString('hex'),
  ].join('\n');
}

export function stringToSignAcs3(canonicalRequest: string): string {
  return `${ALGORITHM}\n${sha256(canonicalRequest).toString('hex')}`;
}

/** HMAC-SHA256 (RFC 2104) under the secret, 32 bytes. */
export function signatureAcs3(secret: Buffer, stringToSign: string): Buffer {
  return createHmac('sha256', secret).update(stringToSign).digest();
}

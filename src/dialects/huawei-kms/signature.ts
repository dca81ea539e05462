import { createHmac } from 'node:crypto';
import { equalBytes, sha256 } from '../../shared/bytes.js';
import { canonicalRequest, PATH_ENCODINGS, type SignedRequest } from './canonical-request.js';

const ALGORITHM = 'SDK-HMAC-SHA256';
const TERMINATOR = 'sdk_request';
/** How far the clock of a client may be from ours. */
const SKEW_MS = 15 * 60_000;

const HEADER = new RegExp(
  `^${ALGORITHM} +(Access|Credential)=([^,\\s]+), *SignedHeaders=([^,\\s]+), *Signature=([0-9a-fA-F]{64})$`,
);
const DATE = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;
const ACCESS_KEY_ID = /^[0-9A-Za-z_-]{1,64}$/;
/** Without these a signature could be moved to another server, or used for ever. */
const MUST_BE_SIGNED = ['host', 'x-sdk-date'];

/** Date, region and service that the key of the older form is derived for; region and service are empty in practice. */
export interface SigningScope {
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

/** What the header `Authorization` of a signed request says. */
export interface SdkAuthorization {
  readonly accessKeyId: string;
  /** Null: the current form, `Access=`; else the older one, `Credential=`. */
  readonly scope: SigningScope | null;
  readonly signedHeaders: readonly string[];
  /** 32 bytes. */
  readonly signature: Buffer;
}

/** The header read, in either form; undefined when it is neither. */
export function parseAuthorization(header: string): SdkAuthorization | undefined {
  const [, form, credential = '', names = '', signature = ''] = HEADER.exec(header.trim()) ?? [];
  const signedHeaders = names.split(';');
  const [accessKeyId = '', ...scope] = credential.split('/');
  if (!ACCESS_KEY_ID.test(accessKeyId) || !areHeaderNames(signedHeaders)) return undefined;
  const rest = { accessKeyId, signedHeaders, signature: Buffer.from(signature, 'hex') };
  if (form === 'Access') return scope.length === 0 ? { ...rest, scope: null } : undefined;
  const [date = '', region = '', service = '', terminator] = scope;
  if (scope.length !== 4 || terminator !== TERMINATOR) return undefined;
  return { ...rest, scope: { date, region, service } };
}

/** Whether the request is dated, and within 15 minutes of `now`. */
export function isFresh({ headers }: SignedRequest, now: number): boolean {
  const [, ...parts] = DATE.exec(headers['x-sdk-date'] ?? '') ?? [];
  if (parts.length === 0) return false;
  const [year, month, day, hour, minute, second] = parts;
  const at = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Math.abs(now - at) <= SKEW_MS;
}

/** Whether the signature is the one that the holder of the secret makes for the request. Says nothing about its age. */
export function isSignedBy(secret: Buffer, authorization: SdkAuthorization, request: SignedRequest): boolean {
  const { scope, signedHeaders, signature } = authorization;
  const date = request.headers['x-sdk-date'] ?? '';
  if (!MUST_BE_SIGNED.every((name) => signedHeaders.includes(name))) return false;
  if (scope !== null && date.split('T')[0] !== scope.date) return false;
  const key = scope === null ? secret : derivedKey(secret, scope);
  const lines = scope === null ? [] : [`${scope.date}/${scope.region}/${scope.service}/${TERMINATOR}`];
  return PATH_ENCODINGS.map((encoding) => canonicalRequest(request, signedHeaders, encoding)).some((canonical) => {
    if (canonical === undefined) return false;
    const stringToSign = [ALGORITHM, date, ...lines, sha256(canonical).toString('hex')].join('\n');
    return equalBytes(hmac(key, stringToSign), signature);
  });
}

/** One key for each date, region and service, so that a leaked one is worth a day. */
function derivedKey(secret: Buffer, { date, region, service }: SigningScope): Buffer {
  const first = Buffer.concat([Buffer.from('SDK'), secret]);
  return [date, region, service, TERMINATOR].reduce<Buffer>((key, part) => hmac(key, part), first);
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function areHeaderNames(names: readonly string[]): boolean {
  return names.every((name) => /^[a-z0-9-]+$/.test(name)) && new Set(names).size === names.length;
}

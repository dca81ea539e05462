import { sha256 } from '../../shared/bytes.js';

/** A request as it came: the URL with its query, header names in lower case, the body before anybody parsed it. */
export interface SignedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
}

/** How the signer encoded the path: Python and Go encode each segment once, Node encodes what is encoded already. */
export const PATH_ENCODINGS = ['once', 'twice'] as const;
export type PathEncoding = (typeof PATH_ENCODINGS)[number];

const UNSIGNED = 'UNSIGNED-PAYLOAD';

/**
 * The canonical request of SDK-HMAC-SHA256: method, path, query, the signed headers and the hash of the body.
 * Undefined when the request cannot have one: a signed header that is missing, a path that cannot be decoded, a hash in
 * X-Sdk-Content-Sha256 that is not the body's.
 */
export function canonicalRequest(
  request: SignedRequest,
  signedHeaders: readonly string[],
  encoding: PathEncoding,
): string | undefined {
  const [path = '', query = ''] = split(request.url);
  const uri = canonicalPath(path, encoding);
  const hash = payloadHash(request);
  const present = signedHeaders.every((name) => request.headers[name] !== undefined);
  if (uri === undefined || hash === undefined || !present) return undefined;
  const headers = signedHeaders.map((name) => `${name}:${request.headers[name]?.trim()}\n`).join('');
  return [request.method, uri, canonicalQuery(query), headers, signedHeaders.join(';'), hash].join('\n');
}

/** RFC 3986 percent-encoding of UTF-8: all but letters, digits and -_.~ ; upper-case hex. */
export function percentEncoded(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function split(url: string): [path: string, query: string] {
  const at = url.indexOf('?');
  return at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at + 1)];
}

function canonicalPath(path: string, encoding: PathEncoding): string | undefined {
  const segments = path.split('/').map((segment) => (encoding === 'twice' ? segment : decoded(segment)));
  if (segments.includes(undefined)) return undefined;
  const uri = segments.map((segment) => percentEncoded(segment as string)).join('/');
  return uri.endsWith('/') ? uri : `${uri}/`;
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined; // not UTF-8 in percent-encoding: nothing was signed that looks so
  }
}

/** Decoded, sorted and encoded again, since clients disagree about which characters they leave as they are. */
function canonicalQuery(query: string): string {
  return [...new URLSearchParams(query)]
    .sort(([a, x], [b, y]) => (a === b ? order(x, y) : order(a, b)))
    .map(([name, value]) => `${percentEncoded(name)}=${percentEncoded(value)}`)
    .join('&');
}

const order = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

/** Hex SHA-256 of the body. A client may leave the body unsigned when it is not JSON; none of ours is anything else. */
function payloadHash({ headers, body }: SignedRequest): string | undefined {
  const stated = headers['x-sdk-content-sha256']?.trim();
  const isJson = (headers['content-type'] ?? '').toLowerCase().includes('json');
  if (stated === UNSIGNED && (!isJson || body.length === 0)) return UNSIGNED;
  const hash = sha256(body).toString('hex');
  return stated === undefined || stated === hash ? hash : undefined;
}

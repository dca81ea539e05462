import { equalBytes } from '../../shared/bytes.js';
import { formPairs, type Pair } from './percent.js';
import { AlibabaError, ParameterError } from './refusals.js';
import { acs3Authorization, canonicalRequestAcs3, signatureAcs3, stringToSignAcs3 } from './signature-acs3.js';
import { signatureV1, stringToSignV1 } from './signature-v1.js';

const FORM = 'application/x-www-form-urlencoded';
/** What the newer signature has to cover, since something here hangs on it. */
const ALWAYS_SIGNED = [
  'host',
  'x-acs-action',
  'x-acs-content-sha256',
  'x-acs-date',
  'x-acs-signature-nonce',
  'x-acs-version',
];

/** A request as it came. */
export interface Received {
  readonly method: string;
  /** With its query, undecoded. */
  readonly url: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** What was asked, and what says who asked it; nothing of it is to be believed before the signature is checked. */
export interface Call {
  readonly action: string;
  readonly version: string | undefined;
  readonly parameters: ReadonlyMap<string, string>;
  readonly accessKeyId: string;
  readonly timestamp: string | undefined;
  /** Different for every request; the signature itself where a client sends none. */
  readonly nonce: string;
  readonly stringToSign: string;
  /** In constant time. */
  readonly isSignedWith: (secret: Buffer) => boolean;
}

/**
 * Reads either form of the RPC style: parameters in the query, in a form, or in both, signed by parameters (HMAC-SHA1)
 * or by headers (ACS3-HMAC-SHA256). Refuses what is incomplete, and a parameter that is given twice.
 */
export function readCall(received: Received): Call {
  const { method } = received;
  if (method !== 'GET' && method !== 'POST') throw new AlibabaError('UnsupportedHTTPMethod');
  const pairs = [...formPairs(queryOf(received)), ...formPairs(formOf(received))];
  const parameters = new Map(pairs);
  if (parameters.size < pairs.length) {
    throw new AlibabaError('ParseRequestParameterException', 'A parameter is given twice.');
  }
  const authorization = headerOf(received, 'authorization');
  return authorization === undefined
    ? signedByParameters(method, pairs, parameters)
    : signedByHeaders(received, authorization, parameters);
}

function signedByParameters(method: string, pairs: readonly Pair[], parameters: ReadonlyMap<string, string>): Call {
  const given = (name: string) => {
    const value = parameters.get(name);
    if (value) return value;
    throw new ParameterError('MissingParameter', name);
  };
  const action = given('Action');
  const accessKeyId = given('AccessKeyId');
  const signature = given('Signature');
  const known =
    given('SignatureMethod') === 'HMAC-SHA1' && given('SignatureVersion') === '1.0' && !parameters.get('SignatureType');
  if (!known) throw incomplete('Sign with HMAC-SHA1, version 1.0, or with ACS3-HMAC-SHA256.');
  const stringToSign = stringToSignV1(method, pairs);
  return {
    action,
    version: parameters.get('Version'),
    parameters,
    accessKeyId,
    timestamp: parameters.get('Timestamp'),
    nonce: parameters.get('SignatureNonce') || signature,
    stringToSign,
    isSignedWith: (secret) => equalBytes(signatureV1(secret, stringToSign), Buffer.from(signature, 'base64')),
  };
}

function signedByHeaders(received: Received, header: string, parameters: ReadonlyMap<string, string>): Call {
  const authorization = acs3Authorization(header);
  if (authorization === undefined) throw incomplete('The Authorization is not one of ACS3-HMAC-SHA256.');
  const { accessKeyId, signedHeaders, signature } = authorization;
  const wanted = [...ALWAYS_SIGNED, ...(received.body.length > 0 ? ['content-type'] : [])];
  const unsigned = wanted.find((name) => !signedHeaders.includes(name));
  if (unsigned !== undefined) throw incomplete(`The header ${unsigned} is not signed.`);
  const absent = signedHeaders.find((name) => headerOf(received, name) === undefined);
  if (absent !== undefined) throw incomplete(`The header ${absent} is signed, but not there.`);
  const headers = Object.fromEntries(signedHeaders.map((name) => [name, headerOf(received, name)]));
  const { method, body } = received;
  const stringToSign = stringToSignAcs3(
    canonicalRequestAcs3({ method, query: queryOf(received), headers, body }, signedHeaders),
  );
  return {
    action: headers['x-acs-action'] ?? '',
    version: headers['x-acs-version'],
    parameters,
    accessKeyId,
    timestamp: headers['x-acs-date'],
    nonce: headers['x-acs-signature-nonce'] ?? '',
    stringToSign,
    isSignedWith: (secret) => equalBytes(signatureAcs3(secret, stringToSign), signature),
  };
}

function queryOf({ url }: Received): string {
  return url.includes('?') ? url.slice(url.indexOf('?') + 1) : '';
}

/** The body of a form. A body of another type would be left out of the older signature, so it is refused, not ignored. */
function formOf(received: Received): string {
  if (received.body.length === 0) return '';
  const type = headerOf(received, 'content-type')?.split(';')[0]?.trim().toLowerCase();
  if (type === FORM) return received.body.toString('latin1');
  throw new AlibabaError('ParseRequestParameterException', `A body must be ${FORM}.`);
}

function headerOf({ headers }: Received, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}

function incomplete(detail: string): AlibabaError {
  return new AlibabaError('IncompleteSignature', detail);
}

import { createHash } from 'node:crypto';
import { canonicalRequest, type SignedRequest } from './canonical-request.js';
import { isFresh, isSignedBy, parseAuthorization, type SdkAuthorization } from './signature.js';

/** Every request below was signed with this secret, by AKEXAMPLE00000000000. */
const SECRET = Buffer.from('skExample0000000000000000000000000000000');
const PROJECT = '0d0466b0e7274d9cb35df84bb474a37f';
const CREATE = `/v1.0/${PROJECT}/kms/create-key`;
const NODE = 'SDK-HMAC-SHA256 Access=AKEXAMPLE00000000000, SignedHeaders=content-type;host;x-project-id;x-sdk-date';
const PYTHON_AGENT =
  'huaweicloud-usdk-python/3.0; os/Linux##1_SMP_PREEMPT_DYNAMIC_@0#x86_64 python/3.11.2 impl/CPython; app/dc1447db-9972-46d2-a67f-81c0700f809a';

interface Captured extends SignedRequest {
  readonly canonicalHash: string;
}

const captured = (
  method: string,
  url: string,
  headers: Record<string, string>,
  body: string,
  canonicalHash: string,
): Captured => ({ method, url, headers, body: Buffer.from(body), canonicalHash });

/** What the clients sent to a server on loopback, and the SHA-256 of the canonical request each of them signed. */
const CAPTURED: Readonly<Record<string, Captured>> = {
  'huaweicloud-sdk-nodejs-v3 3.1.211, create-key': captured(
    'POST',
    CREATE,
    {
      'content-type': 'application/json',
      'x-project-id': PROJECT,
      'x-sdk-date': '20261122T003857Z',
      host: '127.0.0.1:19001',
      authorization: `${NODE}, Signature=a906f63f662f17b1eb809e05547ce3967ed987914da805a9c746b0bc9f25792e`,
    },
    '{"key_alias":"byok-1","key_spec":"AES_256","key_description":"é ü","origin":"external"}',
    '1bc6714b4a99ae2f3f34539d5e3e1d05b46d64caf6a7aaaccfe4be3f98681cfe',
  ),
  'huaweicloud-sdk-nodejs-v3 3.1.211, a list with a query': captured(
    'GET',
    `/v1.0/${PROJECT}/kms/aliases?key_id=0d0466b0-e727-4d9c-b35d-f84bb474a37f&limit=10`,
    {
      'content-type': 'application/json',
      'x-project-id': PROJECT,
      'x-sdk-date': '20261122T003857Z',
      host: '127.0.0.1:19001',
      authorization: `${NODE}, Signature=b86feb76de3f922ed807035eb5ff91ba1a5431b1dd7c9f6af0f0ff98ba48b0e8`,
    },
    '',
    'd4e62ea73f120b4ff12f8167b4952baa2f6ef5ced963253486fcd49c106fb2e0',
  ),
  'huaweicloud-sdk-python-v3, create-key': captured(
    'POST',
    CREATE,
    {
      'user-agent': PYTHON_AGENT,
      'content-type': 'application/json;charset=utf-8',
      'x-project-id': PROJECT,
      'x-sdk-date': '20261122T010253Z',
      host: '127.0.0.1:19112',
      authorization:
        'SDK-HMAC-SHA256 Access=AKEXAMPLE00000000000, SignedHeaders=content-type;host;user-agent;x-project-id;x-sdk-date, Signature=f258dac261fb4aa64fafb5d00f3d32b4ab8226dd43ee89506349264cfdf1ee82',
    },
    '{"key_alias": "py-1", "origin": "external"}',
    '977cb5b1511c7426b6ac502bf074b0deb385688fe137fab3a71d023e465e7724',
  ),
  'gophertelekomcloud, create-key, the older form': captured(
    'POST',
    CREATE,
    {
      host: '127.0.0.1:19113',
      'user-agent': 'golangsdk/2.0.0',
      accept: 'application/json',
      'content-type': 'application/json',
      'x-project-id': PROJECT, // added after signing
      'x-sdk-date': '20261122T010257Z',
      authorization:
        'SDK-HMAC-SHA256 Credential=AKEXAMPLE00000000000/20261122///sdk_request, SignedHeaders=accept;content-type;host;user-agent;x-sdk-date, Signature=3ba2e2d0ecca676e68e42fa43f7c91337bb1ff3b381139f984952f4580becae8',
    },
    '{"key_alias":"go-aksk","key_description":"d é"}\n',
    '4a969ece7c25175f2dfa353adc6b98d04b684cb6dac9563e8a98ad737a8b537e',
  ),
};
const PYTHON = CAPTURED['huaweicloud-sdk-python-v3, create-key'] as Captured;
const GO = CAPTURED['gophertelekomcloud, create-key, the older form'] as Captured;

function authorizationOf(request: SignedRequest): SdkAuthorization {
  const authorization = parseAuthorization(request.headers['authorization'] ?? '');
  if (authorization === undefined) throw new Error('the header was not read');
  return authorization;
}
const isGood = (request: SignedRequest, secret = SECRET) => isSignedBy(secret, authorizationOf(request), request);
const changed = (request: SignedRequest, headers: Record<string, string>): SignedRequest => ({
  ...request,
  headers: { ...request.headers, ...headers },
});

describe.each(Object.entries(CAPTURED))('%s', (_name, request) => {
  it('has the canonical request that the client made', () => {
    const { signedHeaders, accessKeyId } = authorizationOf(request);
    const canonical = canonicalRequest(request, signedHeaders, 'once') ?? '';
    expect(createHash('sha256').update(canonical).digest('hex')).toBe(request.canonicalHash);
    expect(accessKeyId).toBe('AKEXAMPLE00000000000');
  });

  it('is signed by the secret and by no other', () => {
    expect(isGood(request)).toBe(true);
    expect(isGood(request, Buffer.from('another'))).toBe(false);
  });

  it.each<[string, (r: SignedRequest) => SignedRequest]>([
    ['method', (r) => ({ ...r, method: 'DELETE' })],
    ['path', (r) => ({ ...r, url: r.url.replace('/kms/', '/kmz/') })],
    ['query', (r) => ({ ...r, url: r.url.includes('?') ? r.url.replace('10', '11') : `${r.url}?a=1` })],
    ['host', (r) => changed(r, { host: 'elsewhere' })],
    ['date', (r) => changed(r, { 'x-sdk-date': '20261122T003858Z' })],
    ['body', (r) => ({ ...r, body: Buffer.concat([r.body, Buffer.from(' ')]) })],
  ])('is not signed any more with another %s', (_what, change) => expect(isGood(change(request))).toBe(false));
});

it('reads the scope of the older form, with region and service empty', () => {
  expect(authorizationOf(GO).scope).toEqual({ date: '20261122', region: '', service: '' });
  expect(authorizationOf(PYTHON).scope).toBeNull();
});

it('does not take a scope of another day than the request', () => {
  const { authorization = '' } = GO.headers;
  const other = authorization.replace('/20261122/', '/20261121/');
  expect(isGood(changed(GO, { authorization: other }))).toBe(false);
});

it('trims the value of a signed header', () => {
  expect(isGood(changed(PYTHON, { 'user-agent': `  ${PYTHON_AGENT} ` }))).toBe(true);
});

it('wants host and date among the signed headers', () => {
  for (const missing of ['host;', ';x-sdk-date']) {
    const authorization = (PYTHON.headers['authorization'] ?? '').replace(missing, '');
    expect(isGood(changed(PYTHON, { authorization }))).toBe(false);
  }
});

it('encodes a path once, as Python does, or twice, as Node does', () => {
  const tag = { ...PYTHON, url: '/v1.0/p/kms/k/tags/tag%20key(1)' };
  expect(canonicalRequest(tag, ['host'], 'once')).toContain('\n/v1.0/p/kms/k/tags/tag%20key%281%29/\n');
  expect(canonicalRequest(tag, ['host'], 'twice')).toContain('\n/v1.0/p/kms/k/tags/tag%2520key%281%29/\n');
  expect(canonicalRequest({ ...tag, url: '/%ff' }, ['host'], 'once')).toBeUndefined();
});

it('sorts the query by name and value, and encodes it anew', () => {
  const request = { ...PYTHON, url: '/v3/projects?name=b%20c&name=a+(1)&empty=&k%C3%A9=*' };
  expect(canonicalRequest(request, ['host'], 'once')).toContain('\nempty=&k%C3%A9=%2A&name=a%20%281%29&name=b%20c\n');
});

describe('X-Sdk-Content-Sha256', () => {
  const canonical = (hash: string, type = 'application/json', body = PYTHON.body) =>
    canonicalRequest({ ...changed(PYTHON, { 'x-sdk-content-sha256': hash, 'content-type': type }), body }, [], 'once');

  it('is the hash of the body', () => {
    const hash = createHash('sha256').update(PYTHON.body).digest('hex');
    expect(canonical(hash)?.endsWith(`\n${hash}`)).toBe(true);
    expect(canonical('0'.repeat(64))).toBeUndefined();
  });

  it('leaves a body unsigned that is not JSON, and one that is empty', () => {
    expect(canonical('UNSIGNED-PAYLOAD', 'multipart/form-data')?.endsWith('\nUNSIGNED-PAYLOAD')).toBe(true);
    expect(canonical('UNSIGNED-PAYLOAD', 'application/json', Buffer.alloc(0))).toBeDefined();
    expect(canonical('UNSIGNED-PAYLOAD')).toBeUndefined();
  });
});

it.each([
  'SDK-HMAC-SHA256',
  'SDK-HMAC-SHA1 Access=A, SignedHeaders=host, Signature=00',
  `SDK-HMAC-SHA256 Access=A/20261122, SignedHeaders=host, Signature=${'0'.repeat(64)}`,
  `SDK-HMAC-SHA256 Credential=A/20261122/sdk_request, SignedHeaders=host, Signature=${'0'.repeat(64)}`,
  `SDK-HMAC-SHA256 Credential=A/20261122///aws4_request, SignedHeaders=host, Signature=${'0'.repeat(64)}`,
  `SDK-HMAC-SHA256 Access=A, SignedHeaders=host;host, Signature=${'0'.repeat(64)}`,
  `SDK-HMAC-SHA256 Access=A, SignedHeaders=Host, Signature=${'0'.repeat(64)}`,
  `SDK-HMAC-SHA256 Access=A, SignedHeaders=host, Signature=${'0'.repeat(63)}`,
  'Bearer abc',
])('does not read %s', (header) => expect(parseAuthorization(header)).toBeUndefined());

it('takes a request for 15 minutes before and after its date', () => {
  const at = Date.UTC(2026, 10, 22, 1, 2, 53);
  const minutes = (n: number) => isFresh(PYTHON, at + n * 60_000);
  expect([minutes(-15), minutes(0), minutes(15)]).toEqual([true, true, true]);
  expect([minutes(-15.01), minutes(15.01)]).toEqual([false, false]);
  expect(isFresh(changed(PYTHON, { 'x-sdk-date': '2026-11-22T01:02:53Z' }), at)).toBe(false);
  expect(isFresh(changed(PYTHON, { 'x-sdk-date': '20261399T990000Z' }), at)).toBe(false);
});

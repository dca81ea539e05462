import { createHash } from 'node:crypto';
import { type Call, type Received, readCall } from './call.js';
import { percentEncoded } from './percent.js';
import { canonicalRequestAcs3, signatureAcs3, stringToSignAcs3 } from './signature-acs3.js';
import { signatureV1, stringToSignV1 } from './signature-v1.js';

const SECRET = Buffer.from('testsecret');
const FORM = 'application/x-www-form-urlencoded';
const COMMON = {
  Action: 'ListKeys',
  Version: '2016-01-20',
  AccessKeyId: 'testid',
  SignatureMethod: 'HMAC-SHA1',
  SignatureVersion: '1.0',
  SignatureNonce: 'n1',
  Timestamp: '2026-01-31T23:59:59Z',
};

const encoded = (parameters: object) =>
  Object.entries(parameters)
    .map(([name, value]) => `${percentEncoded(name)}=${percentEncoded(value)}`)
    .join('&');

function signed(parameters: Record<string, string>, method = 'POST'): string {
  const Signature = signatureV1(SECRET, stringToSignV1(method, Object.entries(parameters))).toString('base64');
  return encoded({ ...parameters, Signature });
}

const received = (given: Partial<Received>): Received => ({
  method: 'POST',
  url: '/',
  headers: { host: 'h' },
  body: Buffer.alloc(0),
  ...given,
});
const form = (text: string, type = FORM) => ({ headers: { host: 'h', 'content-type': type }, body: Buffer.from(text) });
const refused = (reason: string) => expect.objectContaining({ reason });

function acs3(
  parts: { query?: string; body?: string; headers?: Record<string, string>; unsigned?: string[] } = {},
): Received {
  const body = Buffer.from(parts.body ?? '');
  const headers: Record<string, string> = {
    host: 'h',
    'x-acs-action': 'ListKeys',
    'x-acs-content-sha256': createHash('sha256').update(body).digest('hex'),
    'x-acs-date': '2026-01-31T23:59:59Z',
    'x-acs-signature-nonce': 'n1',
    'x-acs-version': '2016-01-20',
    ...(body.length > 0 && { 'content-type': FORM }),
    ...parts.headers,
  };
  const names = Object.keys(headers)
    .filter((name) => !parts.unsigned?.includes(name))
    .sort();
  const query = parts.query ?? '';
  const stringToSign = stringToSignAcs3(canonicalRequestAcs3({ method: 'POST', query, headers, body }, names));
  const signature = signatureAcs3(SECRET, stringToSign).toString('hex');
  const authorization = `ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=${names.join(';')},Signature=${signature}`;
  return received({ url: query === '' ? '/' : `/?${query}`, headers: { ...headers, authorization }, body });
}

describe.each([
  ['in the query', (text: string) => received({ url: `/?${text}` })],
  ['in a form', (text: string) => received(form(text))],
  ['in a form with a character set', (text: string) => received(form(text, `${FORM}; charset=UTF-8`))],
])('parameters %s', (_where, request) => {
  it('are read and hold the signature', () => {
    const call = readCall(request(signed({ ...COMMON, Description: 'a+b c*~é', SignatureType: '' })));
    expect(call).toMatchObject({ action: 'ListKeys', version: '2016-01-20', accessKeyId: 'testid', nonce: 'n1' });
    expect(call.parameters.get('Description')).toBe('a+b c*~é');
    expect(call.isSignedWith(SECRET)).toBe(true);
    expect(call.isSignedWith(Buffer.from('another'))).toBe(false);
  });
});

it('merges query and form, and signs both', () => {
  const [query = '', ...rest] = signed({ PageSize: '5', ...COMMON }).split('&');
  const request = { ...received(form(rest.join('&'))), url: `/?${query}` };
  expect(readCall(request).parameters.get('PageSize')).toBe('5');
  expect(readCall(request).isSignedWith(SECRET)).toBe(true);
  expect(readCall({ ...request, url: '/?PageSize=6' }).isSignedWith(SECRET)).toBe(false);
});

it('takes the signature for the nonce where a client sends none', () => {
  const { SignatureNonce: _, ...rest } = COMMON;
  const call = readCall(received({ url: `/?${signed(rest)}` }));
  expect(new URLSearchParams(signed(rest)).get('Signature')).toBe(call.nonce);
});

it.each([
  [
    'a parameter twice',
    { url: `/?${signed(COMMON)}`, ...form('Action=DeleteAlias') },
    'ParseRequestParameterException',
  ],
  ['an escape that is none', { url: '/?a=%zz' }, 'ParseRequestParameterException'],
  ['bytes that are not UTF-8', { url: '/?a=%ff' }, 'ParseRequestParameterException'],
  ['a body of another type', { url: '/', ...form('{}', 'application/json') }, 'ParseRequestParameterException'],
  ['a body without a type', { url: '/', body: Buffer.from('a=1') }, 'ParseRequestParameterException'],
  ['another method', { method: 'PUT', url: `/?${signed(COMMON)}` }, 'UnsupportedHTTPMethod'],
  ['no action', { url: '/' }, 'MissingParameter'],
  [
    'another signature method',
    { url: `/?${signed({ ...COMMON, SignatureMethod: 'HMAC-MD5' })}` },
    'IncompleteSignature',
  ],
  [
    'a bearer token by parameter',
    { url: `/?${signed({ ...COMMON, SignatureType: 'BEARERTOKEN' })}` },
    'IncompleteSignature',
  ],
  ['a bearer token by header', { headers: { authorization: 'Bearer kp_x' } }, 'IncompleteSignature'],
])('refuses %s', (_what, request, reason) => {
  expect(() => readCall(received(request))).toThrow(refused(reason));
});

describe('ACS3-HMAC-SHA256', () => {
  const isGood = (call: Call) => call.isSignedWith(SECRET);

  it('takes action, version, date and nonce from the signed headers', () => {
    const call = readCall(acs3({ query: 'PageSize=5&Action=Other' }));
    const timestamp = '2026-01-31T23:59:59Z';
    expect(call).toMatchObject({
      action: 'ListKeys',
      version: '2016-01-20',
      accessKeyId: 'testid',
      nonce: 'n1',
      timestamp,
    });
    expect(call.parameters.get('PageSize')).toBe('5');
    expect(isGood(call)).toBe(true);
  });

  it('reads a form, whose bytes the signature covers', () => {
    const request = acs3({ body: 'PageSize=5' });
    expect(readCall(request).parameters.get('PageSize')).toBe('5');
    expect(isGood(readCall(request))).toBe(true);
    expect(isGood(readCall({ ...request, body: Buffer.from('PageSize=6') }))).toBe(false);
  });

  it.each(['host', 'x-acs-action', 'x-acs-content-sha256', 'x-acs-date', 'x-acs-signature-nonce', 'x-acs-version'])(
    'wants %s signed',
    (name) => {
      expect(() => readCall(acs3({ unsigned: [name] }))).toThrow(refused('IncompleteSignature'));
    },
  );

  it('wants the content type of a body signed, since the body is read by it', () => {
    expect(() => readCall(acs3({ body: 'a=1', unsigned: ['content-type'] }))).toThrow(refused('IncompleteSignature'));
  });

  it('refuses a signature over a header that is not there', () => {
    const request = acs3({ headers: { 'x-acs-extra': '1' } });
    const { 'x-acs-extra': _, ...headers } = request.headers;
    expect(() => readCall({ ...request, headers })).toThrow(refused('IncompleteSignature'));
  });
});

import { acs3Authorization, canonicalRequestAcs3, signatureAcs3, stringToSignAcs3 } from './signature-acs3.js';

interface Sent {
  readonly client: string;
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** SHA-256 of the canonical request. */
  readonly hash: string;
}

/** What the clients sent with POST and the secret `testsecret`. */
const SENT: readonly Sent[] = [
  {
    client: 'kms20160120@3.2.0 CreateKey',
    query: 'Description=External%20key%20a%2Bb%20c*d~e%27(f)!%C3%A9&Origin=EXTERNAL',
    headers: {
      host: '127.0.0.1:19002',
      'x-acs-action': 'CreateKey',
      'x-acs-content-sha256': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      'x-acs-credentials-provider': 'static_ak',
      'x-acs-date': '2026-11-22T00:47:21Z',
      'x-acs-signature-nonce': '5cd18cd751ea8ed0bd7b3ac51ba6279b2ac00815da6f7da66b0d4a5b2413b3e1',
      'x-acs-version': '2016-01-20',
      authorization:
        'ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-credentials-provider;x-acs-date;x-acs-signature-nonce;x-acs-version,Signature=917b49c0cce38e2a1a4a908a63d3995a1409d40f5372543cdc91e69e0173079c',
    },
    body: '',
    hash: 'c14a90487a0c90b5cf06c23d00f44d0e621c9130c0ce06ff9b372466897cb002',
  },
  {
    client: 'kms20160120@3.2.0 TagResources (repeat list, empty value)',
    query:
      'RegionId=cn-hangzhou&ResourceId.1=k1&ResourceId.2=k2&ResourceType=key&Tag.1.Key=a&Tag.1.Value=b%20c&Tag.2.Key=d&Tag.2.Value=',
    headers: {
      host: '127.0.0.1:19002',
      'x-acs-action': 'TagResources',
      'x-acs-content-sha256': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      'x-acs-credentials-provider': 'static_ak',
      'x-acs-date': '2026-11-22T00:47:21Z',
      'x-acs-signature-nonce': '2aa26f5fdccf3474346e5416887439ad31c3b8e5667d5775fbf1881c25eac2d8',
      'x-acs-version': '2016-01-20',
      authorization:
        'ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-credentials-provider;x-acs-date;x-acs-signature-nonce;x-acs-version,Signature=53482d97a8518529198358020c5e6a66569e14f1fc28a7bc91b57982bd1699cc',
    },
    body: '',
    hash: '97bdfc768accd372124b854eee81b856a12c6f79b87627871c4da90f50436ddd',
  },
  {
    client: 'openapi-client@0.4.15 ListKeys form body',
    query: '',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      host: '127.0.0.1:19002',
      'x-acs-action': 'ListKeys',
      'x-acs-content-sha256': '435d979052f2d780b40503b6fc0f0df1abe50a96cf207e881dbe2896ce7af20d',
      'x-acs-credentials-provider': 'static_ak',
      'x-acs-date': '2026-11-22T00:46:32Z',
      'x-acs-signature-nonce': '83e38a206a6dfe5c29580a27be9960f5',
      'x-acs-version': '2016-01-20',
      authorization:
        'ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=content-type;host;x-acs-action;x-acs-content-sha256;x-acs-credentials-provider;x-acs-date;x-acs-signature-nonce;x-acs-version,Signature=0487d62e9ef9501b4741c3c4d8c2e8d206d46323f3807b7b87b89e091175fc62',
    },
    body: 'PageSize=5&Filters=%5B%7B%22Key%22%3A%22KeyState%22%2C%22Values%22%3A%5B%22Enabled%22%5D%7D%5D',
    hash: '451d4e79e828415dc7a0bf591325e4ac81e0477f43f7d44b3066dc31bba8323b',
  },
];
const sent = (client: string): Sent => SENT.find((one) => one.client.startsWith(client)) as Sent;
const authorizationOf = ({ headers }: Sent) => acs3Authorization(headers['authorization'] ?? '');
const canonicalOf = (one: Sent) =>
  canonicalRequestAcs3(
    { method: 'POST', query: one.query, headers: one.headers, body: Buffer.from(one.body) },
    authorizationOf(one)?.signedHeaders ?? [],
  );

it.each(SENT)('recomputes the signature of $client', (one) => {
  const stringToSign = stringToSignAcs3(canonicalOf(one));
  expect(stringToSign).toBe(`ACS3-HMAC-SHA256\n${one.hash}`);
  expect(authorizationOf(one)).toEqual({
    accessKeyId: 'testid',
    signedHeaders: Object.keys(one.headers).filter((name) => name !== 'authorization'),
    signature: signatureAcs3(Buffer.from('testsecret'), stringToSign),
  });
});

it('writes the canonical request as the vendor does', () => {
  expect(canonicalOf(sent('kms20160120@3.2.0 CreateKey')).split('\n')).toEqual([
    'POST',
    '/',
    'Description=External%20key%20a%2Bb%20c%2Ad~e%27%28f%29%21%C3%A9&Origin=EXTERNAL',
    'host:127.0.0.1:19002',
    'x-acs-action:CreateKey',
    'x-acs-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    'x-acs-credentials-provider:static_ak',
    'x-acs-date:2026-11-22T00:47:21Z',
    'x-acs-signature-nonce:5cd18cd751ea8ed0bd7b3ac51ba6279b2ac00815da6f7da66b0d4a5b2413b3e1',
    'x-acs-version:2016-01-20',
    '',
    'host;x-acs-action;x-acs-content-sha256;x-acs-credentials-provider;x-acs-date;x-acs-signature-nonce;x-acs-version',
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  ]);
});

it('hashes the body that came, whatever the header says of it', () => {
  const one = sent('openapi-client');
  expect(canonicalOf({ ...one, body: `${one.body}&x=1` })).not.toBe(canonicalOf(one));
});

it.each([
  'ACS4-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=00',
  'ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=00',
  `ACS3-HMAC-SHA256 Credential=a,SignedHeaders=Host,Signature=${'0'.repeat(64)}`,
  `ACS3-HMAC-SHA256 Credential=,SignedHeaders=host,Signature=${'0'.repeat(64)}`,
  'Bearer kp_1',
  '',
])('takes %j for no such authorization', (header) => {
  expect(acs3Authorization(header)).toBeUndefined();
});

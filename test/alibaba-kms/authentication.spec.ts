import { randomUUID } from 'node:crypto';
import {
  canonicalRequestAcs3,
  signatureAcs3,
  stringToSignAcs3,
} from '../../src/dialects/alibaba-kms/signature-acs3.js';
import { stringToSignV1 } from '../../src/dialects/alibaba-kms/signature-v1.js';
import { until } from '../until.js';
import { AlibabaWorld, type Got, sha256Hex, signedQuery, timeText } from './alibaba-world.js';

/** A tenth of it with one credential. */
const MOST_FAILURES = 300;

let w: AlibabaWorld;
beforeAll(async () => {
  const env = { KEYSTEAD_LIMIT_FAILED_ATTEMPTS: String(MOST_FAILURES), KEYSTEAD_TIMER_FAILED_ATTEMPT_MS: '600000' };
  w = await AlibabaWorld.start(env);
}, 180_000);
afterAll(() => w?.end(), 30_000);

const code = ({ status, body }: Got) => [status, body.Code];
const at = (minutes: number) => timeText(new Date(Date.now() + minutes * 60_000));
const list = (parameters: Record<string, string | undefined> = {}) => w.send('ListKeys', parameters);

/** Sends ListKeys signed by headers. */
function signedByHeaders({
  date = at(0),
  nonce = randomUUID() as string,
  secret = w.accessKey.access_key_secret,
} = {}) {
  const headers: Record<string, string> = {
    host: w.endpoint,
    'x-acs-action': 'ListKeys',
    'x-acs-content-sha256': sha256Hex(''),
    'x-acs-date': date,
    'x-acs-signature-nonce': nonce,
    'x-acs-version': '2016-01-20',
  };
  const names = Object.keys(headers);
  const stringToSign = stringToSignAcs3(
    canonicalRequestAcs3({ method: 'POST', query: '', headers, body: Buffer.alloc(0) }, names),
  );
  const signature = signatureAcs3(Buffer.from(secret), stringToSign).toString('hex');
  const authorization = `ACS3-HMAC-SHA256 Credential=${w.accessKey.access_key_id},SignedHeaders=${names.join(';')},Signature=${signature}`;
  return { stringToSign, answer: w.fetch('POST', '/', { headers: { ...headers, authorization } }) };
}

it('answers with the id of the request in the body and in a header, as JSON', async () => {
  const { status, headers, body } = await list();
  expect(status).toBe(200);
  expect(body.RequestId).toMatch(/^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$/);
  expect(headers.get('x-acs-request-id')).toBe(body.RequestId);
  expect(headers.get('content-type')?.replace(' ', '')).toBe('application/json;charset=utf-8');
});

it('refuses with code, message, ids and the host that was asked', async () => {
  const { status, headers, body } = await w.send('NoSuchAction');
  expect(status).toBe(404);
  expect(body).toEqual({
    HttpStatus: 404,
    Code: 'InvalidAction.NotFound',
    Message: 'Specified api is not found, please check your url and method.',
    RequestId: headers.get('x-acs-request-id'),
    HostId: w.endpoint,
  });
  expect(headers.get('content-type')?.replace(' ', '')).toBe('application/json;charset=utf-8');
});

describe('a nonce counts once', () => {
  it('in a query', async () => {
    const path = `/?${signedQuery('ListKeys', {}, w.accessKey)}`;
    expect((await w.fetch('POST', path)).status).toBe(200);
    expect(code(await w.fetch('POST', path))).toEqual([400, 'SignatureNonceUsed']);
  });

  it('with another time and signature', async () => {
    const nonce = { SignatureNonce: randomUUID() };
    expect((await list({ ...nonce, Timestamp: at(-1) })).status).toBe(200);
    expect(code(await list(nonce))).toEqual([400, 'SignatureNonceUsed']);
  });

  it('in headers', async () => {
    const nonce = randomUUID();
    expect((await signedByHeaders({ nonce }).answer).status).toBe(200);
    expect(code(await signedByHeaders({ nonce }).answer)).toEqual([400, 'SignatureNonceUsed']);
  });

  it('for each access key', async () => {
    const nonce = { SignatureNonce: randomUUID() };
    expect((await list(nonce)).status).toBe(200);
    const key = await w.anotherAccessKey();
    expect((await w.send('ListKeys', nonce, { key })).status).toBe(200);
  });

  it('only of a call whose signature is good', async () => {
    const nonce = { SignatureNonce: randomUUID() };
    const key = { ...w.accessKey, access_key_secret: 'wrong' };
    expect(code(await w.send('ListKeys', nonce, { key }))).toEqual([400, 'SignatureDoesNotMatch']);
    expect((await list(nonce)).status).toBe(200);
  });

  it('and a call without one counts once as a whole', async () => {
    const path = `/?${signedQuery('ListKeys', { SignatureNonce: undefined }, w.accessKey)}`;
    expect((await w.fetch('POST', path)).status).toBe(200);
    expect(code(await w.fetch('POST', path))).toEqual([400, 'SignatureNonceUsed']);
  });
});

describe('the time of a call', () => {
  it.each([-14, 14])('may be %i minutes off', async (minutes) => {
    expect((await list({ Timestamp: at(minutes) })).status).toBe(200);
    expect((await signedByHeaders({ date: at(minutes) }).answer).status).toBe(200);
  });

  it.each([-16, 16])('may not be %i minutes off', async (minutes) => {
    expect(code(await list({ Timestamp: at(minutes) }))).toEqual([400, 'InvalidTimeStamp.Expired']);
    expect(code(await signedByHeaders({ date: at(minutes) }).answer)).toEqual([400, 'InvalidTimeStamp.Expired']);
  });

  it.each([undefined, '', '2026-01-31', '2026-02-31T25:00:00Z', '1769904000'])('is not %j', async (Timestamp) => {
    expect(code(await list({ Timestamp }))).toEqual([400, 'IllegalTimestamp']);
  });
});

describe('a wrong secret', () => {
  it('is told by the string that the server signed, as clients look for it', async () => {
    const key = { ...w.accessKey, access_key_secret: 'wrong' };
    const query = signedQuery('ListKeys', {}, key);
    const { status, body } = await w.fetch('POST', `/?${query}`);
    expect([status, body.Code]).toEqual([400, 'SignatureDoesNotMatch']);
    const [, ours] = /string to sign is:(.*)$/s.exec(body.Message) ?? [];
    expect(ours).toBe(stringToSignV1('POST', [...new URLSearchParams(query)]));
  });

  it('is told so in headers too', async () => {
    const { stringToSign, answer } = signedByHeaders({ secret: 'wrong' });
    const { status, body } = await answer;
    expect([status, body.Code]).toEqual([400, 'SignatureDoesNotMatch']);
    expect(body.Message).toBe(
      `Specified signature is not matched with our calculation. server string to sign is:${stringToSign}`,
    );
  });
});

describe('an access key', () => {
  it('that is not there is not found', async () => {
    const key = { access_key_id: 'LTAIaaaaaaaaaaaaaaaaaaaa', access_key_secret: 'x' };
    expect(code(await w.send('ListKeys', {}, { key }))).toEqual([404, 'InvalidAccessKeyId.NotFound']);
  });

  it('that was revoked is not found', async () => {
    const key = await w.anotherAccessKey();
    expect((await w.send('ListKeys', {}, { key })).status).toBe(200);
    expect(await w.world.kp('access-key', 'revoke', key.access_key_id)).toMatchObject({ code: 0 });
    const answered = async () => code(await w.send('ListKeys', {}, { key }));
    await until(async () => (await answered())[0] === 404, 5_000); // a server may remember a secret for a second
    expect(await answered()).toEqual([404, 'InvalidAccessKeyId.NotFound']);
  });

  it('does what its role lets it do', async () => {
    const key = await w.anotherAccessKey('--role', 'Reader');
    expect((await w.send('ListKeys', {}, { key })).status).toBe(200);
    expect(code(await w.send('CreateKey', {}, { key }))).toEqual([403, 'Forbidden.NoPermission']);
    expect(code(await w.send('EnableKey', { KeyId: randomUUID() }, { key }))).toEqual([403, 'Forbidden.NoPermission']);
  });

  it('of a role without a part in the instance learns nothing of its operations', async () => {
    const key = await w.anotherAccessKey('--role', 'KeyPurge');
    for (const action of ['ListKeys', 'DescribeRegions', 'DescribeAccountKmsStatus', 'DescribeKey', 'EnableKey']) {
      const answer = await w.send(action, { KeyId: randomUUID() }, { key });
      expect(code(answer)).toEqual([403, 'Forbidden.NoPermission']);
    }
  });
});

describe('a call that cannot be read', () => {
  it('has one of two methods', async () => {
    for (const method of ['PUT', 'DELETE', 'PATCH']) {
      expect(code(await w.send('ListKeys', {}, { method }))).toEqual([403, 'UnsupportedHTTPMethod']);
    }
    expect((await w.send('ListKeys', {}, { method: 'GET' })).status).toBe(200);
  });

  it('names another version', async () => {
    expect(code(await list({ Version: '2014-05-26' }))).toEqual([400, 'InvalidVersion']);
  });

  it('gives a parameter twice', async () => {
    const path = `/?${signedQuery('ListKeys', { PageSize: '5' }, w.accessKey)}`;
    expect(code(await w.fetch('POST', `${path}&PageSize=6`))).toEqual([400, 'ParseRequestParameterException']);
  });

  it('has a body of another type', async () => {
    const path = `/?${signedQuery('ListKeys', {}, w.accessKey)}`;
    const sent = { headers: { 'content-type': 'application/json' }, body: '{}' };
    expect(code(await w.fetch('POST', path, sent))).toEqual([400, 'ParseRequestParameterException']);
  });

  it.each(['Action', 'AccessKeyId', 'SignatureMethod', 'SignatureVersion'])('has no %s', async (name) => {
    const { status, body } = await list({ [name]: undefined });
    expect([status, body.Code, body.Message]).toEqual([
      400,
      'MissingParameter',
      `The parameter "${name}" is needed but not provided.`,
    ]);
  });

  it('is not signed as one of the two kinds', async () => {
    expect(code(await list({ SignatureMethod: 'HMAC-SHA256' }))).toEqual([400, 'IncompleteSignature']);
    const bearer = await w.fetch('POST', '/', { headers: { authorization: `Bearer ${w.world.apiKey}` } });
    expect(code(bearer)).toEqual([400, 'IncompleteSignature']);
  });
});

it('makes an address that fails too often with one access key wait, and no other access key there', async () => {
  const key = { access_key_id: 'LTAIbbbbbbbbbbbbbbbbbbbb', access_key_secret: 'x' };
  for (let failures = 0; failures < MOST_FAILURES / 10; failures += 1) {
    expect(code(await w.send('ListKeys', {}, { key }))).toEqual([404, 'InvalidAccessKeyId.NotFound']);
  }
  const waiting = await w.send('ListKeys', {}, { key });
  expect(code(waiting)).toEqual([400, 'Throttling']);
  expect(Number(waiting.headers.get('retry-after'))).toBeGreaterThan(0);
  expect((await list()).status).toBe(200);
});

it('is closed to addresses that the instance does not let in', async () => {
  const type = 'application/vnd.ibm.kms.policy+json';
  const attributes = { allowed_ip: ['192.0.2.0/24'] };
  const resource = { policy_type: 'allowedIP', policy_data: { enabled: true, attributes } };
  const policy = { metadata: { collectionType: type, collectionTotal: 1 }, resources: [resource] };
  const path = '/api/v2/instance/policies?policy=allowedIP';
  const set = await w.world.api('PUT', path, policy, { 'bluemix-instance': w.world.instance });
  expect(set.status).toBe(204);
  await until(async () => (await list()).status !== 200, 5_000); // admissions are remembered for a moment
  expect(code(await list())).toEqual([403, 'Forbidden.AccessKey']);
});

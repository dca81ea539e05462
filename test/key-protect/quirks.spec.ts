import { once } from 'node:events';
import { connect } from 'node:net';
import { violationsOf } from './described.js';
import { KEY_TYPE, KeyProtectWorld, POLICY_TYPE } from './key-protect-world.js';

/** What the Go, Python and Node clients put on the wire, byte for byte, over sockets of our own. */
let w: KeyProtectWorld;
let id: string;
beforeAll(async () => {
  w = await KeyProtectWorld.start({ KEYSTEAD_TIMER_ENABLE_MS: '1', KEYSTEAD_TIMER_ROTATE_MS: '1' });
  id = (await w.create({ name: 'quirks' })).id;
}, 180_000);
afterAll(() => w?.end(), 30_000);

interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly text: string;
}

/** Sends the bytes on a connection of their own and reads the one answer; it is checked against the OpenAPI document. */
async function raw(text: string): Promise<RawAnswer> {
  const { hostname, port } = new URL(w.world.url);
  const socket = connect(Number(port), hostname);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.write(text);
  await once(socket, 'close');
  const all = Buffer.concat(chunks).toString();
  const at = all.indexOf('\r\n\r\n');
  const [head, body] = [all.slice(0, at), all.slice(at + 4)];
  const status = Number(head.split(' ')[1]);
  const [method = '', path = ''] = text.split(' ');
  expect(violationsOf({ method, path, status, text: method === 'HEAD' ? '' : body })).toEqual([]);
  return { status, head, text: body };
}

const lines = (...all: string[]) => `${all.join('\r\n')}\r\n\r\n`;

/** net/http: no Content-Type, a correlation id, a new connection for every request. */
function go(method: string, path: string, body?: string): Promise<RawAnswer> {
  const head = lines(
    `${method} /api/v2/${path} HTTP/1.1`,
    `Host: ${new URL(w.world.url).host}`,
    'User-Agent: Go-http-client/1.1',
    ...(body === undefined ? (method === 'POST' ? ['Content-Length: 0'] : []) : [`Content-Length: ${body.length}`]),
    'Accept: application/json',
    `Authorization: Bearer ${w.world.apiKey}`,
    `Bluemix-Instance: ${w.instance}`,
    'Correlation-Id: 5cf2a4c7-2e3d-4e02-a7f3-5b1b3a9d7f40',
    'Prefer: return=representation',
    'Connection: close',
  );
  return raw(head + (body ?? ''));
}

/** requests: a lower-case instance header, any Accept; no Content-Type where there is no body. */
function python(method: string, path: string, body?: string): Promise<RawAnswer> {
  const head = lines(
    `${method} /api/v2/${path} HTTP/1.1`,
    `Host: ${new URL(w.world.url).host}`,
    'User-Agent: python-requests/2.31.0',
    'Accept-Encoding: gzip, deflate',
    'Accept: */*',
    'Connection: close',
    `bluemix-instance: ${w.instance}`,
    `Authorization: Bearer ${w.world.apiKey}`,
    ...(body === undefined
      ? ['Content-Length: 0']
      : [`Content-Length: ${body.length}`, 'Content-Type: application/json']),
  );
  return raw(head + (body ?? ''));
}

/** axios: a vendor Content-Type, also where there is no body. */
function node(method: string, path: string, type: string, body = ''): Promise<RawAnswer> {
  const head = lines(
    `${method} /api/v2/${path} HTTP/1.1`,
    'Accept: application/json',
    `Content-Type: ${type}`,
    `Bluemix-Instance: ${w.instance}`,
    `Authorization: Bearer ${w.world.apiKey}`,
    'User-Agent: ibm-key-protect-node-sdk/0.1.2',
    `Content-Length: ${body.length}`,
    `Host: ${new URL(w.world.url).host}`,
    'Connection: close',
  );
  return raw(head + body);
}

const resources = ({ text }: RawAnswer) => JSON.parse(text).resources;

describe('the Go client', () => {
  it('creates a key with Tags, nanoseconds and no Content-Type', async () => {
    const body = `{"metadata":{"collectionType":"${KEY_TYPE}","collectionTotal":1},"resources":[{"name":"gokey","type":"${KEY_TYPE}","Tags":["one two"],"extractable":false,"expirationDate":"2040-01-02T03:04:05.123456789Z"}]}`;
    const made = await go('POST', 'keys', body);
    expect(made.status).toBe(201);
    expect(made.head).toMatch(/correlation-id: 5cf2a4c7-2e3d-4e02-a7f3-5b1b3a9d7f40/i);
    expect(resources(made)[0]).toMatchObject({ tags: ['one two'], expirationDate: '2040-01-02T03:04:05Z' });
  });

  it.each(['disable', 'enable', 'rotate'])('sends null to %s a key, and gets 204', async (action) => {
    const { status, text } = await go('POST', `keys/${id}/actions/${action}`, 'null');
    expect([status, text]).toEqual([204, '']);
  });

  it('wraps with {} and with a plaintext', async () => {
    expect((await go('POST', `keys/${id}/actions/wrap`, '{}')).status).toBe(200);
    const wrapped = await go('POST', `keys/${id}/actions/wrap`, '{"plaintext":"dGhlIGtleQ==","aad":["a","b"]}');
    const { ciphertext } = JSON.parse(wrapped.text);
    const body = JSON.stringify({ ciphertext, aad: ['a', 'b'] });
    expect(JSON.parse((await go('POST', `keys/${id}/actions/unwrap`, body)).text).plaintext).toBe('dGhlIGtleQ==');
  });

  it('uses the deprecated form of the actions', async () => {
    const wrapped = await go('POST', `keys/${id}?action=wrap`, '{"plaintext":"dGhlIGtleQ=="}');
    expect(wrapped.status).toBe(200);
    const { ciphertext } = JSON.parse(wrapped.text);
    const unwrapped = await go('POST', `keys/${id}?action=unwrap`, JSON.stringify({ ciphertext }));
    expect(JSON.parse(unwrapped.text).plaintext).toBe('dGhlIGtleQ==');
    expect((await go('POST', `keys/${id}?action=rotate`, 'null')).status).toBe(204);
    expect((await go('POST', `keys/${id}?action=explode`, 'null')).status).toBe(400);
  });

  it('moves a key with KeyRingID', async () => {
    expect((await go('POST', 'key_rings/go-ring')).status).toBe(201);
    const moved = await go('PATCH', `keys/${id}`, '{"KeyRingID":"go-ring"}');
    expect(resources(moved)[0].keyRingID).toBe('go-ring');
    expect((await go('PATCH', `keys/${id}`, '{"KeyRingID":"default"}')).status).toBe(200);
    expect((await go('DELETE', 'key_rings/go-ring')).status).toBe(204);
  });

  it('lists by limit=2000&offset=0, searches with a comma at the end, filters with a blank before', async () => {
    expect((await go('GET', 'keys?limit=2000&offset=0')).status).toBe(200);
    const found = await go('GET', 'keys?limit=200&offset=0&search=quirks%2C');
    expect(resources(found).map((key: { id: string }) => key.id)).toEqual([id]);
    const filter = '+creationDate%3Dgte%3A%222020-01-01T00%3A00%3A00.000000001Z%22+state%3D1';
    expect((await go('GET', `keys?filter=${filter}`)).status).toBe(200);
    const none = await go('GET', 'keys?filter=+creationDate%3Dlt%3A%222001-01-01T00%3A00%3A00Z%22');
    expect(resources(none)).toEqual([]);
  });

  it('changes rotation policies with nothing but enabled', async () => {
    const put = (rotation: string) =>
      go(
        'PUT',
        `keys/${id}/policies?policy=rotation`,
        `{"metadata":{"collectionType":"${POLICY_TYPE}","collectionTotal":1},"resources":[{"type":"${POLICY_TYPE}","rotation":${rotation}}]}`,
      );
    expect((await put('{"enabled":false,"interval_month":3}')).status).toBe(200);
    expect(resources(await put('{"enabled":true}'))[0].rotation).toEqual({ enabled: true, interval_month: 3 });
  });

  it('sends empty attributes with a policy that it disables', async () => {
    const body = `{"metadata":{"collectionType":"${POLICY_TYPE}","collectionTotal":1},"resources":[{"policy_type":"metrics","policy_data":{"enabled":false,"attributes":{}}}]}`;
    expect((await go('PUT', 'instance/policies?policy=metrics', body)).status).toBe(204);
  });

  it('gets a token with token_type, an integer expires_in and a refresh_token', async () => {
    const form = `grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant-type%3Aapikey&apikey=${w.world.apiKey}`;
    const head = lines(
      'POST /oidc/token HTTP/1.1',
      `Host: ${new URL(w.world.url).host}`,
      'User-Agent: Go-http-client/1.1',
      `Content-Length: ${form.length}`,
      'Accept: application/json',
      'Content-Type: application/x-www-form-urlencoded',
      'Connection: close',
    );
    const token = JSON.parse((await raw(head + form)).text);
    expect(token).toMatchObject({ token_type: 'Bearer', refresh_token: expect.any(String) });
    expect(Number.isInteger(token.expires_in) && Number.isInteger(token.expiration)).toBe(true);
    const asked = await w.send('GET', '/api/v2/keys', { apiKey: token.access_token });
    expect(asked.status).toBe(200);
  });
});

describe('the Python client', () => {
  it.each(['disable', 'enable', 'rotate'])('sends nothing to %s a key, and gets 204', async (action) => {
    expect((await python('POST', `keys/${id}/actions/${action}`)).status).toBe(204);
  });

  it('writes True and False', async () => {
    expect((await python('GET', 'keys?extractable=False')).status).toBe(200);
    const versions = await python('GET', `keys/${id}/versions?totalCount=True&allKeyStates=True`);
    expect(JSON.parse(versions.text).metadata.totalCount).toBeGreaterThanOrEqual(1);
  });

  it('repeats a parameter instead of a comma', async () => {
    expect((await python('GET', 'keys?state=1&state=2')).status).toBe(200);
  });

  it('gets a token with the credentials of the cf client', async () => {
    const form = `grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant-type%3Aapikey&apikey=${w.world.apiKey}&response_type=cloud_iam&uaa_client_id=cf&uaa_client_secret=`;
    const head = lines(
      'POST /oidc/token HTTP/1.1',
      `Host: ${new URL(w.world.url).host}`,
      'User-Agent: python-requests/2.31.0',
      'Accept: */*',
      'Connection: close',
      'Authorization: Basic Yng6Yng=',
      `Content-Length: ${form.length}`,
      'Content-Type: application/x-www-form-urlencoded',
    );
    expect((await raw(head + form)).status).toBe(200);
  });
});

describe('the Node client', () => {
  it.each(['disable', 'enable'])('sends an empty body as application/json to %s a key', async (action) => {
    expect((await node('POST', `keys/${id}/actions/${action}`, 'application/json')).status).toBe(204);
  });

  it('names its own media types', async () => {
    const type = 'application/vnd.ibm.kms.key_action_rotate+json';
    expect((await node('POST', `keys/${id}/actions/rotate`, type, '{}')).status).toBe(204);
    expect((await node('POST', `keys/${id}/actions/rotate`, type)).status).toBe(204);
  });

  it('encodes a CRN that was encoded before once more', async () => {
    const crn = encodeURIComponent(encodeURIComponent('crn:v1:bluemix:public:*:*:*:*:*:*'));
    const path = `keys/registrations?urlEncodedResourceCRNQuery=${crn}`;
    expect((await node('GET', path, 'application/json')).status).toBe(200);
  });
});

it('a HEAD is served for the number of keys alone', async () => {
  const counted = await w.send('HEAD', '/api/v2/keys');
  expect([counted.status, Number(counted.headers.get('key-total'))]).toEqual([200, expect.any(Number)]);
  expect((await w.send('HEAD', '/api/v2/import_token')).status).toBe(404);
  expect((await w.send('HEAD', `/api/v2/keys/${id}`)).status).toBe(404);
});

describe('the identity service', () => {
  it('answers IBM’s error for an unknown key, and publishes the key that verifies its tokens', async () => {
    const body = new URLSearchParams({ grant_type: 'urn:ibm:params:oauth:grant-type:apikey', apikey: 'no-such-key' });
    const refused = await fetch(`${w.world.url}/identity/token`, { method: 'POST', body });
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ errorCode: 'BXNIM0415E', context: { requestId: expect.any(String) } });
    const { keys } = (await (await fetch(`${w.world.url}/identity/keys`)).json()) as { keys: object[] };
    expect(keys[0]).toMatchObject({ kty: 'EC', alg: 'ES256' });
    expect(keys[0]).not.toHaveProperty('d');
  });
});

describe('the description', () => {
  it('is served as OpenAPI and as a page', async () => {
    const document = (await (await fetch(`${w.world.url}/docs/openapi.json`)).json()) as { openapi: string };
    expect(document.openapi).toMatch(/^3\.1/);
    expect(await (await fetch(`${w.world.url}/docs`)).text()).toContain('/api/v2/keys');
  });
});

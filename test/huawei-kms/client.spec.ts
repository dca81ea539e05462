import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { runInThisContext } from 'node:vm';
import { ROOT, run } from '../processes.js';
import { HuaweiWorld } from './huawei-world.js';
import { importBody, newPair, privateImportBody } from './material.js';

/** The vendor's SDK for Node as npm has it; nothing of it is changed. CommonJS, with types that say less than it does. */
// biome-ignore lint/suspicious/noExplicitAny: as said
type Any = any;
const load = createRequire(import.meta.url) as (name: string) => Any;

/** Where the SDK keeps a file of its own: it asks the system, which knows the real environment only. */
const realEnv = runInThisContext('process.env') as NodeJS.ProcessEnv;
const home = realEnv['HOME'];

let w: HuaweiWorld;
let sdk: Any;
beforeAll(async () => {
  w = await HuaweiWorld.start();
  realEnv['HOME'] = w.world.files;
  load('@huaweicloud/huaweicloud-sdk-core/logger/log4jLogger').Logger4jInstance.level = 'off'; // it prints every refusal
  sdk = {
    ...load('@huaweicloud/huaweicloud-sdk-core'),
    ...load('@huaweicloud/huaweicloud-sdk-core/ClientBuilder'),
    ...load('@huaweicloud/huaweicloud-sdk-core/region/region'),
  };
}, 180_000);
afterAll(async () => {
  if (home !== undefined) realEnv['HOME'] = home;
  await w?.end();
}, 30_000);

const credential = (secret = w.key.secret) => new sdk.BasicCredentials().withAk(w.key.accessKeyId).withSk(secret);

function clientWith(credentials: Any): Any {
  return new sdk.ClientBuilder((client: Any) => client).withCredential(credentials).withEndpoint(w.url).build();
}

async function ask(client: Any, method: string, path: string, data?: object, queryParams: object = {}): Promise<Any> {
  const url = `/v1.0/{project_id}/kms/${path}`;
  const { httpStatusCode: _, ...answer } = await client.sendRequest({
    method,
    url,
    contentType: 'application/json',
    queryParams,
    pathParams: {},
    headers: {},
    data,
  });
  return answer;
}
const kms = (path: string, data: object = {}) =>
  ask(clientWith(credential().withProjectId(w.key.project)), 'POST', path, data);
const refusal = async (asked: Promise<unknown>): Promise<Any> =>
  asked.then(
    () => {
      throw new Error('it was not refused');
    },
    (cause) => cause,
  );

it('creates, describes and lists keys', async () => {
  const { key_info } = await kms('create-key', { key_alias: 'byok-1', key_description: 'é ü' });
  const described = await kms('describe-key', { key_id: key_info.key_id });
  expect(described.key_info).toMatchObject({
    key_alias: 'byok-1',
    key_description: 'é ü',
    key_state: '2',
    origin: 'kms',
  });
  const listed = await kms('list-keys', { limit: '50' });
  expect(listed.keys).toContain(key_info.key_id);
});

it('imports an AES key, uses it, deletes its material', async () => {
  const { key_info } = await kms('create-key', { key_alias: 'external', origin: 'external', key_spec: 'AES_256' });
  const { key_id } = key_info;
  const given = await kms('get-parameters-for-import', { key_id, wrapping_algorithm: 'RSAES_OAEP_SHA_256' });
  expect(await kms('import-key-material', importBody(key_id, given, randomBytes(32)))).toEqual({});
  const { cipher_text } = await kms('encrypt-data', { key_id, plain_text: 'ein Text' });
  expect(cipher_text).toHaveLength(188);
  expect((await kms('decrypt-data', { cipher_text })).plain_text).toBe('ein Text');
  const made = await kms('create-datakey', { key_id, datakey_length: '512' });
  expect([made.plain_text.length, made.cipher_text.length]).toEqual([128, 376]);
  const opened = await kms('decrypt-datakey', { key_id, cipher_text: made.cipher_text, datakey_cipher_length: '64' });
  expect(opened.data_key).toBe(made.plain_text);
  await kms('delete-imported-key-material', { key_id });
  expect((await kms('describe-key', { key_id })).key_info.key_state).toBe('5');
});

it.each(['RSA_4096', 'EC_P256'] as const)(
  'imports a private key of %s, signs and verifies',
  async (key_spec) => {
    const { key_info } = await kms('create-key', { key_alias: `sign-${key_spec}`, origin: 'external', key_spec });
    const { key_id } = key_info;
    const given = await kms('get-parameters-for-import', { key_id, wrapping_algorithm: 'RSAES_OAEP_SHA_256' });
    await kms('import-key-material', privateImportBody(key_id, given, newPair(key_spec).privateKey));
    const signing_algorithm = key_spec === 'EC_P256' ? 'ECDSA_SHA_256' : 'RSASSA_PSS_SHA_256';
    const asked = { key_id, signing_algorithm, message: randomBytes(32).toString('base64') };
    const { signature } = await kms('sign', asked);
    expect(await kms('verify', { ...asked, signature })).toMatchObject({ signature_valid: 'true' });
  },
  60_000,
);

it('sends a GET with a query, and a DELETE whose path it encodes twice', async () => {
  const client = clientWith(credential().withProjectId(w.key.project));
  const { key_info } = await kms('create-key', { key_alias: 'tagged' });
  const { key_id } = key_info;
  await kms(`${key_id}/tags`, { tag: { key: 'tag key', value: 'a value' } });
  expect((await ask(client, 'GET', `${key_id}/tags`)).tags).toEqual([{ key: 'tag key', value: 'a value' }]);
  await ask(client, 'DELETE', `${key_id}/tags/tag%20key`);
  expect((await ask(client, 'GET', `${key_id}/tags`)).existTagsNum).toBe(0);
  const { aliases } = await ask(client, 'GET', 'aliases', undefined, { key_id, limit: 10 });
  expect(aliases).toMatchObject([{ alias: 'alias/tagged', key_id }]);
  expect((await ask(client, 'GET', 'user-instances')).instance_num).toBeGreaterThan(0);
});

it('finds its project by the region', async () => {
  const region = new sdk.Region('eu-de', [w.url]);
  const credentials = credential().withIamEndpoint(w.url);
  const client = new sdk.ClientBuilder((one: Any) => one).withCredential(credentials).withRegion(region).build();
  const { key_info } = await ask(client, 'POST', 'create-key', { key_alias: 'by-region' });
  expect(key_info.key_id).toMatch(/^[0-9a-f-]{36}$/);
});

it('reads the code of a refusal', async () => {
  const key_id = '0d0466b0-e727-4d9c-b35d-f84bb474a37f';
  const cause = await refusal(kms('describe-key', { key_id }));
  expect([cause.httpStatusCode, cause.errorCode]).toEqual([404, 'KMS.0207']);
  const client = clientWith(credential('another secret').withProjectId(w.key.project));
  const unsigned = await refusal(ask(client, 'POST', 'list-keys', {}));
  expect([unsigned.httpStatusCode, unsigned.errorCode]).toEqual([401, 'APIGW.0301']);
  expect(unsigned.errorMsg).toContain('verify aksk signature fail');
});

it('left its file in the home directory of the test', () => {
  expect(existsSync(join(w.world.files, '.huaweicloud', 'application_id'))).toBe(true);
});

describe('docs/huawei-kms.md', () => {
  const page = readFileSync(join(ROOT, 'docs/huawei-kms.md'), 'utf8');
  const block = (name: string) => new RegExp(`^\`\`\`\\S+ ${name}\\n(.*?)^\`\`\``, 'ms').exec(page)?.[1] ?? '';
  const inFiles = (program: string, ...args: string[]) =>
    run(program, args, {
      cwd: w.world.files,
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: w.world.files,
        ENDPOINT: w.url,
        ACCESS_KEY_ID: w.key.accessKeyId,
        ACCESS_KEY_SECRET: w.key.secret,
        PROJECT_ID: w.key.project,
      },
    });

  it('says how to use the SDK for Node', async () => {
    symlinkSync(join(ROOT, 'node_modules'), join(w.world.files, 'node_modules'));
    w.world.file('snippet.mjs', block('huaweicloud-sdk-core'));
    expect(await inFiles(process.execPath, 'snippet.mjs')).toMatchObject({ code: 0, stdout: 'hello\n' });
  });

  it('says how to use curl', async () => {
    const { stdout } = await inFiles('sh', '-e', '-c', block('curl'));
    expect(JSON.parse(stdout).random_data).toHaveLength(128);
  });
});

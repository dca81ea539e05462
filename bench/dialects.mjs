/** The other two wire formats under the same load: Alibaba Encrypt, each request signed anew, and Huawei create-datakey. */
import { randomUUID } from 'node:crypto';
import { percentEncoded } from '../dist/dialects/alibaba-kms/percent.js';
import { signatureV1, stringToSignV1 } from '../dist/dialects/alibaba-kms/signature-v1.js';
import { requestOf } from './load.mjs';

const PLAINTEXT = Buffer.alloc(32, 0x5a).toString('base64');

/** Functions that give { bytes, check } for the next request of the dialect, by name. */
export async function dialectActs(world) {
  return { 'Alibaba Encrypt': await alibabaEncrypt(world), 'Huawei create-datakey': await huaweiDataKey(world) };
}

async function alibabaEncrypt(world) {
  const credential = await accessKey(world, 'alibaba');
  const path = (action, parameters) => `/?${signedQuery(action, parameters, credential)}`;
  const made = await answerOf(world, path('CreateKey', {}));
  const KeyId = made.KeyMetadata.KeyId;
  const check = (answer) => expectMember(answer, '"CiphertextBlob":"');
  return () => ({ bytes: requestOf({ path: path('Encrypt', { KeyId, Plaintext: PLAINTEXT }) }), check });
}

async function huaweiDataKey(world) {
  const { access_key_id: name, access_key_secret: password, project_id: id } = await accessKey(world, 'huawei');
  const user = { name, password, domain: { name: 'OTC' } };
  const auth = { identity: { methods: ['password'], password: { user } }, scope: { project: { id } } };
  const login = await fetch(`${world.url}/v3/auth/tokens`, { method: 'POST', body: JSON.stringify({ auth }) });
  if (login.status !== 201) throw new Error(`no token: ${login.status} ${await login.text()}`);
  const headers = { 'x-auth-token': login.headers.get('x-subject-token'), 'content-type': 'application/json' };
  const at = (act) => `/v1.0/${id}/kms/${act}`;
  const made = await answerOf(world, at('create-key'), { headers, body: { key_alias: 'bench' } });
  const body = { key_id: made.key_info.key_id, datakey_length: '256' };
  const bytes = requestOf({ path: at('create-datakey'), headers, body });
  const check = (answer) => expectMember(answer, '"cipher_text":"');
  return () => ({ bytes, check });
}

async function accessKey(world, dialect) {
  return JSON.parse(await world.kp('access-key', 'create', '--dialect', dialect, '--name', 'bench', '-o', 'json'));
}

async function answerOf(world, path, { headers, body } = {}) {
  const answer = await fetch(world.url + path, { method: 'POST', headers, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path.split('?')[0]}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

function signedQuery(action, parameters, { access_key_id, access_key_secret }) {
  const pairs = Object.entries({
    Action: action,
    Version: '2016-01-20',
    Format: 'JSON',
    AccessKeyId: access_key_id,
    SignatureMethod: 'HMAC-SHA1',
    SignatureVersion: '1.0',
    SignatureNonce: randomUUID(),
    Timestamp: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
    ...parameters,
  });
  const signature = signatureV1(Buffer.from(access_key_secret), stringToSignV1('POST', pairs)).toString('base64');
  return [...pairs, ['Signature', signature]]
    .map(([name, value]) => `${percentEncoded(name)}=${percentEncoded(value)}`)
    .join('&');
}

function expectMember(answer, member) {
  if (answer.status !== 200 || !answer.body.includes(member)) {
    throw new Error(`${answer.status} ${answer.body.toString('utf8')}`);
  }
}

import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, run } from '../processes.js';
import { KeyProtectWorld } from './key-protect-world.js';

/**
 * IBM's tutorial on importing keys, as its reader types it. Three things are ours: the API's URL, the token and the
 * instance; and `kp` where the tutorial has `ibmcloud kp`. The tutorial's `base64 -o FILE` decodes only in the head of
 * its author: what is meant stands in the function of that name.
 */
const TUTORIAL = `
set -eu
base64() { if [ "$1" = -o ]; then command base64 -d > "$2"; else command base64 "$@"; fi; }
export ACCESS_TOKEN="Bearer $(curl -sS -X POST "$KP_API_URL/identity/token" \\
  --data-urlencode "grant_type=urn:ibm:params:oauth:grant-type:apikey" \\
  --data-urlencode "apikey=$API_KEY" | jq -r .access_token)"

mkdir key-protect-test && cd key-protect-test
curl -X POST \\
    "$KP_API_URL/api/v2/import_token" \\
    -H "accept: application/vnd.ibm.collection+json" \\
    -H "authorization: $ACCESS_TOKEN" \\
    -H "bluemix-instance: $INSTANCE_ID" \\
    -H "content-type: application/json" \\
    -d '{
            "expiration": 1200,
            "maxAllowedRetrievals": 1
        }' > createImportTokenResponse.json
jq '.' createImportTokenResponse.json

curl -X GET \\
    "$KP_API_URL/api/v2/import_token" \\
    -H "accept: application/vnd.ibm.collection+json" \\
    -H "authorization: $ACCESS_TOKEN" \\
    -H "bluemix-instance: $INSTANCE_ID" > getImportTokenResponse.json
jq '.' getImportTokenResponse.json
jq -r '.payload' getImportTokenResponse.json | base64 -o PublicKey.pem

openssl rand 32 > PlainTextKey.bin
KEY_MATERIAL=$(base64 PlainTextKey.bin)
NONCE=$(jq -r '.nonce' getImportTokenResponse.json)
kp import-token nonce-encrypt -k $KEY_MATERIAL -n $NONCE --output json > EncryptedValues.json
jq '.' EncryptedValues.json

openssl pkeyutl \\
    -encrypt \\
    -pubin \\
    -keyform PEM \\
    -inkey PublicKey.pem \\
    -pkeyopt rsa_padding_mode:oaep \\
    -pkeyopt rsa_oaep_md:sha256 \\
    -in PlainTextKey.bin \\
    -out EncryptedKey.bin

ENCRYPTED_KEY=$(openssl enc -base64 -A -in EncryptedKey.bin)
ENCRYPTED_NONCE=$(jq -r '.encryptedNonce' EncryptedValues.json)
IV=$(jq -r '.iv' EncryptedValues.json)
curl -X POST \\
    "$KP_API_URL/api/v2/keys" \\
    -H "accept: application/vnd.ibm.collection+json" \\
    -H "authorization: $ACCESS_TOKEN" \\
    -H "bluemix-instance: $INSTANCE_ID" \\
    -H "content-type: application/json" \\
    -d '{
            "metadata": {
                "collectionType": "application/vnd.ibm.kms.key+json",
                "collectionTotal": 1
            },
            "resources": [
                {
                    "name": "encrypted-root-key",
                    "type": "application/vnd.ibm.kms.key+json",
                    "payload": "'"$ENCRYPTED_KEY"'",
                    "extractable": false,
                    "encryptionAlgorithm": "RSAES_OAEP_SHA_256",
                    "encryptedNonce": "'"$ENCRYPTED_NONCE"'",
                    "iv": "'"$IV"'"
                }
            ]
        }' > createRootKeyResponse.json
jq '.' createRootKeyResponse.json
`;

const CLEAN_UP = `
ROOT_KEY_ID=$(jq -r '.resources[].id' createRootKeyResponse.json)
curl -X DELETE \\
    "$KP_API_URL/api/v2/keys/$ROOT_KEY_ID" \\
    -H "accept: application/vnd.ibm.collection+json" \\
    -H "authorization: $ACCESS_TOKEN" \\
    -H "bluemix-instance: $INSTANCE_ID" | jq .
rm kms-encrypt-nonce *.json *.bin *.pem || true
cd .. && rm -r key-protect-test
`;

let w: KeyProtectWorld;
beforeAll(async () => {
  w = await KeyProtectWorld.start();
}, 180_000);
afterAll(() => w?.end(), 30_000);

function shell(script: string) {
  const file = w.world.file('tutorial.sh', script);
  chmodSync(file, 0o700);
  const env = {
    ...w.world.kpEnv(),
    PATH: `${join(ROOT, 'bin')}:${process.env['PATH'] ?? ''}`,
    KP_API_URL: w.url,
    API_KEY: w.world.apiKey,
    INSTANCE_ID: w.instance,
  };
  return run('sh', [file], { cwd: w.world.files, env });
}

it('imports a key as the tutorial does, and cleans up', async () => {
  const { code, stdout, stderr } = await shell(`${TUTORIAL}\n${CLEAN_UP}`);
  expect({ code, trouble: code === 0 ? '' : `${stdout}${stderr}${w.world.logTail()}` }).toEqual({
    code: 0,
    trouble: '',
  });
  expect(w.proxy.violations).toEqual([]);
  const calls = w.proxy.exchanges.filter(({ path }) => path.startsWith('/api/v2'));
  expect(calls.map(({ status }) => status)).toEqual([200, 200, 201, 204]);
  const [, retrieved, created] = calls;
  expect(JSON.parse(retrieved?.text ?? '')).toMatchObject({ maxAllowedRetrievals: 1, remainingRetrievals: 0 });
  const [key] = JSON.parse(created?.text ?? '').resources;
  expect(key).toMatchObject({ name: 'encrypted-root-key', state: 1, extractable: false, imported: true });
  const after = await w.send('GET', `/api/v2/keys/${key.id}`);
  expect(after.body.resources[0].state).toBe(5);
}, 180_000);

it('wraps under the very key that was imported: what it made opens with the plain text key alone', async () => {
  const wrap = `
curl -sS -X POST "$KP_API_URL/api/v2/keys/$(jq -r '.resources[].id' createRootKeyResponse.json)/actions/wrap" \\
    -H "authorization: $ACCESS_TOKEN" -H "bluemix-instance: $INSTANCE_ID" \\
    -H "content-type: application/vnd.ibm.kms.key_action+json" -d '{"plaintext":"'"$KEY_MATERIAL"'"}' > wrapped.json
curl -sS -X POST "$KP_API_URL/api/v2/keys/$(jq -r '.resources[].id' createRootKeyResponse.json)/actions/unwrap" \\
    -H "authorization: $ACCESS_TOKEN" -H "bluemix-instance: $INSTANCE_ID" \\
    -H "content-type: application/vnd.ibm.kms.key_action+json" -d "$(jq -c '{ciphertext}' wrapped.json)" > unwrapped.json
test "$(jq -r .plaintext unwrapped.json)" = "$KEY_MATERIAL"
`;
  const { code, stdout, stderr } = await shell(`${TUTORIAL}\n${wrap}\n${CLEAN_UP}`);
  expect({ code, trouble: code === 0 ? '' : `${stdout}${stderr}${w.world.logTail()}` }).toEqual({
    code: 0,
    trouble: '',
  });
}, 180_000);

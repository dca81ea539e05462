import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../processes.js';
import { HuaweiWorld } from './huawei-world.js';

/**
 * The vendor's "Importing Key Materials", as its reader types it. The OpenSSL commands are the document's, to the letter;
 * what it calls in words alone (the token, the calls of the API) is curl here.
 */
const HEAD = `
set -eu
call() { # operation, body: the answer goes to the file of the operation
  curl -sS -f -X POST "$URL/v1.0/$PROJECT/kms/$1" \\
    -H "X-Auth-Token: $TOKEN" -H 'Content-Type: application/json' -d "$2" > "$1.json"
}
curl -sS -f -D headers.txt -o token.json -X POST "$URL/v3/auth/tokens" -H 'Content-Type: application/json' -d @login.json
TOKEN=$(tr -d '\\r' < headers.txt | sed -n 's/^[Xx]-[Ss]ubject-[Tt]oken: //p')
`;

const STEPS_1_AND_2 = `
call create-key '{"key_alias":"'"$ALIAS"'","key_spec":"'"$SPEC"'","origin":"external"}'
KEY_ID=$(jq -r .key_info.key_id create-key.json)
call get-parameters-for-import '{"key_id": "'"$KEY_ID"'", "wrapping_algorithm":"RSAES_OAEP_SHA_256"}'
jq -r .public_key get-parameters-for-import.json > PublicKey.b64
jq -r .import_token get-parameters-for-import.json > ImportToken.b64
openssl enc -d -base64 -A -in PublicKey.b64 -out PublicKey.bin
`;

const SYMMETRIC = `${HEAD}${STEPS_1_AND_2}
openssl rand -out PlaintextKeyMaterial.bin 32
openssl pkeyutl -in PlaintextKeyMaterial.bin -inkey PublicKey.bin -out EncryptedKeyMaterial.bin -keyform der -pubin -encrypt -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256

openssl enc -e -base64 -A -in EncryptedKeyMaterial.bin -out EncryptedKeyMaterial.b64
call import-key-material '{"key_id":"'"$KEY_ID"'","import_token":"'"$(cat ImportToken.b64)"'","encrypted_key_material":"'"$(cat EncryptedKeyMaterial.b64)"'"}'
call describe-key '{"key_id":"'"$KEY_ID"'"}'
jq -r .key_info.key_state describe-key.json
call encrypt-data '{"key_id":"'"$KEY_ID"'","plain_text":"a text"}'
call decrypt-data "$(jq -c '{cipher_text}' encrypt-data.json)"
jq -r .plain_text decrypt-data.json
`;

const ASYMMETRIC = `${HEAD}${STEPS_1_AND_2}
openssl rand -out 0xPlaintextKeyMaterial.bin -hex 32
cat 0xPlaintextKeyMaterial.bin | xxd -r -ps > PlaintextKeyMaterial.bin
openssl pkeyutl -in PlaintextKeyMaterial.bin -inkey PublicKey.bin -out EncryptedKeyMaterial.bin -keyform der -pubin -encrypt -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256

openssl genrsa -out pkcs1_rsa_private_key.pem 4096
openssl pkcs8 -topk8 -inform PEM -in pkcs1_rsa_private_key.pem -outform pem -nocrypt -out rsa_private_key.pem
openssl pkcs8 -topk8 -inform PEM -outform DER -in rsa_private_key.pem -out rsa_private_key.der -nocrypt
openssl enc -id-aes256-wrap-pad -K $(cat 0xPlaintextKeyMaterial.bin) -iv A65959A6 -in rsa_private_key.der -out out_rsa_private_key.der

openssl enc -e -base64 -A -in EncryptedKeyMaterial.bin -out EncryptedKeyMaterial.b64
openssl enc -e -base64 -A -in out_rsa_private_key.der -out out_rsa_private_key.b64
call import-key-material '{"key_id":"'"$KEY_ID"'","import_token":"'"$(cat ImportToken.b64)"'","encrypted_key_material":"'"$(cat EncryptedKeyMaterial.b64)"'","encrypted_privatekey":"'"$(cat out_rsa_private_key.b64)"'"}'
call describe-key '{"key_id":"'"$KEY_ID"'"}'
jq -r .key_info.key_state describe-key.json

printf 'a document' > document.txt
openssl dgst -sha256 -binary document.txt | openssl base64 -A > digest.b64
call sign '{"key_id":"'"$KEY_ID"'","signing_algorithm":"RSASSA_PKCS1_V1_5_SHA_256","message":"'"$(cat digest.b64)"'"}'
jq -r .signature sign.json | openssl base64 -d -A -out document.sig
openssl rsa -in rsa_private_key.pem -pubout -out public.pem
openssl dgst -sha256 -verify public.pem -signature document.sig document.txt
`;

/** The older command for the same encryption, of the vendor's other documents: PKCS #1 v1.5 and OAEP with SHA-1. */
const OLDER = `${HEAD}
call create-key '{"key_alias":"'"$ALIAS"'","origin":"external"}'
KEY_ID=$(jq -r .key_info.key_id create-key.json)
openssl rand -out PlaintextKeyMaterial.bin 32
for ALGORITHM in RSAES_PKCS1_V1_5 RSAES_OAEP_SHA_1; do
  call get-parameters-for-import '{"key_id": "'"$KEY_ID"'", "wrapping_algorithm":"'"$ALGORITHM"'"}'
  jq -r .public_key get-parameters-for-import.json | openssl enc -d -base64 -A -out PublicKey.bin
  if [ $ALGORITHM = RSAES_OAEP_SHA_1 ]; then PADDING=-oaep; else PADDING=-pkcs; fi
  openssl rsautl -encrypt -in PlaintextKeyMaterial.bin -inkey PublicKey.bin -keyform DER -pubin $PADDING -out EncryptedKeyMaterial.bin
  call import-key-material '{"key_id":"'"$KEY_ID"'","import_token":"'"$(jq -r .import_token get-parameters-for-import.json)"'","encrypted_key_material":"'"$(openssl base64 -A -in EncryptedKeyMaterial.bin)"'"}'
  call describe-key '{"key_id":"'"$KEY_ID"'"}'
  jq -r .key_info.key_state describe-key.json
  call delete-imported-key-material '{"key_id":"'"$KEY_ID"'"}'
done
`;

let w: HuaweiWorld;
beforeAll(async () => {
  w = await HuaweiWorld.start();
  const user = { name: w.key.accessKeyId, password: w.key.secret, domain: { name: 'OTC' } };
  const identity = { methods: ['password'], password: { user } };
  w.world.file('login.json', JSON.stringify({ auth: { identity, scope: { project: { id: w.key.project } } } }));
}, 180_000);
afterAll(() => w?.end(), 30_000);

async function typed(script: string, spec: string): Promise<string[]> {
  const path = w.world.file('procedure.sh', script);
  chmodSync(path, 0o700);
  const alias = `seed-${process.hrtime.bigint().toString(36)}`;
  const env = { PATH: process.env['PATH'] ?? '', HOME: w.world.files, URL: w.url, PROJECT: w.key.project };
  const ran = await run('bash', [join(w.world.files, 'procedure.sh')], {
    cwd: w.world.files,
    env: { ...env, ALIAS: alias, SPEC: spec },
  });
  if (ran.code !== 0) throw new Error(`${ran.stdout}${ran.stderr}`);
  return ran.stdout.trim().split('\n');
}

it('symmetric keys: imported as printed, enabled, and in use', async () => {
  expect(await typed(SYMMETRIC, 'AES_256')).toEqual(['2', 'a text']);
}, 60_000);

it('asymmetric keys: an RSA-4096 key imported as printed signs, and OpenSSL verifies', async () => {
  expect(await typed(ASYMMETRIC, 'RSA_4096')).toEqual(['2', 'Verified OK']);
}, 120_000);

it('the older algorithms, with rsautl: the same material twice', async () => {
  expect(await typed(OLDER, 'AES_256')).toEqual(['2', '2']);
}, 60_000);

/** The loops of token.c, from pkcs11js, synchronously: node token-loop.mjs MODULE PIN SECONDS */
import { performance } from 'node:perf_hooks';
import pkcs11js from 'pkcs11js';

const [module, pin, seconds] = process.argv.slice(2);
const lib = new pkcs11js.PKCS11();
lib.load(module);
lib.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK });
const [slot] = lib.C_GetSlotList(true);
const session = lib.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION);
lib.C_Login(session, pkcs11js.CKU_USER, pin);

const [data, aad, row, digest] = [32, 40, 300, 32].map((size) => Buffer.alloc(size));
const room = Buffer.alloc(128);
const uses = ['ENCRYPT', 'DECRYPT', 'WRAP', 'UNWRAP', 'SIGN', 'VERIFY'].map((use) => ({
  type: pkcs11js[`CKA_${use}`],
  value: true,
}));
const open = [
  { type: pkcs11js.CKA_TOKEN, value: false },
  { type: pkcs11js.CKA_SENSITIVE, value: false },
  { type: pkcs11js.CKA_EXTRACTABLE, value: true },
];
const generate = (mechanism) =>
  lib.C_GenerateKey(session, { mechanism }, [...open, ...uses, { type: pkcs11js.CKA_VALUE_LEN, value: 32 }]);
const kek = generate(pkcs11js.CKM_AES_KEY_GEN);
const cached = generate(pkcs11js.CKM_AES_KEY_GEN);
const mac = generate(pkcs11js.CKM_GENERIC_SECRET_KEY_GEN);
const blob = lib.C_WrapKey(session, { mechanism: pkcs11js.CKM_AES_KEY_WRAP }, kek, cached, Buffer.alloc(64));
const pair = lib.C_GenerateKeyPair(
  session,
  { mechanism: pkcs11js.CKM_RSA_PKCS_KEY_PAIR_GEN },
  [
    { type: pkcs11js.CKA_TOKEN, value: false },
    { type: pkcs11js.CKA_MODULUS_BITS, value: 2048 },
    { type: pkcs11js.CKA_PUBLIC_EXPONENT, value: Buffer.from([1, 0, 1]) },
    { type: pkcs11js.CKA_VERIFY, value: true },
    { type: pkcs11js.CKA_ENCRYPT, value: true },
  ],
  [
    { type: pkcs11js.CKA_TOKEN, value: false },
    { type: pkcs11js.CKA_SIGN, value: true },
    { type: pkcs11js.CKA_DECRYPT, value: true },
  ],
);
const pss = {
  mechanism: pkcs11js.CKM_SHA256_RSA_PKCS_PSS,
  parameter: {
    type: pkcs11js.CK_PARAMS_RSA_PSS,
    hashAlg: pkcs11js.CKM_SHA256,
    mgf: pkcs11js.CKG_MGF1_SHA256,
    saltLen: 32,
  },
};
const oaep = {
  mechanism: pkcs11js.CKM_RSA_PKCS_OAEP,
  parameter: {
    type: pkcs11js.CK_PARAMS_RSA_OAEP,
    hashAlg: pkcs11js.CKM_SHA_1,
    mgf: pkcs11js.CKG_MGF1_SHA1,
    source: 1,
  },
};
lib.C_SignInit(session, pss, pair.privateKey);
const signature = lib.C_Sign(session, digest, Buffer.alloc(256));
lib.C_EncryptInit(session, oaep, pair.publicKey);
const encrypted = lib.C_Encrypt(session, data, Buffer.alloc(256));

const gcm = (iv) => ({
  mechanism: pkcs11js.CKM_AES_GCM,
  parameter: { type: pkcs11js.CK_PARAMS_AES_GCM, iv, aad, ivBits: 96, tagBits: 128 },
});
const fixed = gcm(Buffer.alloc(12));
const unwrapped = [
  { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_SECRET_KEY },
  { type: pkcs11js.CKA_KEY_TYPE, value: pkcs11js.CKK_AES },
  { type: pkcs11js.CKA_TOKEN, value: false },
  { type: pkcs11js.CKA_ENCRYPT, value: true },
];
const seal = (how, key) => {
  lib.C_EncryptInit(session, how, key);
  if (lib.C_Encrypt(session, data, room).length !== data.length + 16) throw new Error('GCM gave another length');
};

const ACTS = {
  'unwrap + GCM + destroy': () => {
    const key = lib.C_UnwrapKey(session, { mechanism: pkcs11js.CKM_AES_KEY_WRAP }, kek, blob, unwrapped);
    seal(fixed, key);
    lib.C_DestroyObject(session, key);
  },
  'GCM, cached key': () => seal(fixed, cached),
  'row MAC + random IV + GCM': () => {
    lib.C_SignInit(session, { mechanism: pkcs11js.CKM_SHA256_HMAC }, mac);
    lib.C_Sign(session, row, Buffer.alloc(32));
    seal(gcm(lib.C_GenerateRandom(session, Buffer.alloc(12))), cached);
  },
  'RSA-2048 PSS verify': () => {
    lib.C_VerifyInit(session, pss, pair.publicKey);
    lib.C_Verify(session, digest, signature);
  },
  'RSA-2048 OAEP decrypt': () => {
    lib.C_DecryptInit(session, oaep, pair.privateKey);
    if (!lib.C_Decrypt(session, encrypted, Buffer.alloc(256)).equals(data)) throw new Error('OAEP gave other bytes');
  },
};

function perSecond(act) {
  for (let i = 0; i < 50; i += 1) act();
  const begun = performance.now();
  let times = 0;
  for (; performance.now() - begun < seconds * 1000; times += 8) for (let i = 0; i < 8; i += 1) act();
  return times / ((performance.now() - begun) / 1000);
}

process.stdout.write(
  `${JSON.stringify(Object.fromEntries(Object.entries(ACTS).map(([name, act]) => [name, perSecond(act)])))}\n`,
);
lib.C_Finalize();

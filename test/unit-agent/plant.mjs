// Writes public objects into a SoftHSM token without a PIN, as anyone can who may write to its directory:
// an HMAC key with a known value, and a data object. Arguments: module, id and value of the key, label, id and value of the data.
import pkcs11js from 'pkcs11js';

const [module, keyId, keyValue, label, dataId, dataValue] = process.argv.slice(2);
const bytes = (hex) => Buffer.from(hex, 'hex');
const lib = new pkcs11js.PKCS11();
lib.load(module);
lib.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK });
const slot = lib.C_GetSlotList(true).find((one) => lib.C_GetTokenInfo(one).flags & pkcs11js.CKF_TOKEN_INITIALIZED);
const session = lib.C_OpenSession(slot, pkcs11js.CKF_RW_SESSION | pkcs11js.CKF_SERIAL_SESSION);
const common = [
  { type: pkcs11js.CKA_TOKEN, value: true },
  { type: pkcs11js.CKA_PRIVATE, value: false },
];
lib.C_CreateObject(session, [
  ...common,
  { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_SECRET_KEY },
  { type: pkcs11js.CKA_KEY_TYPE, value: pkcs11js.CKK_GENERIC_SECRET },
  { type: pkcs11js.CKA_ID, value: bytes(keyId) },
  { type: pkcs11js.CKA_LABEL, value: 'unit-mac' },
  { type: pkcs11js.CKA_SIGN, value: true },
  { type: pkcs11js.CKA_VALUE, value: bytes(keyValue) },
]);
lib.C_CreateObject(session, [
  ...common,
  { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_DATA },
  { type: pkcs11js.CKA_LABEL, value: label },
  { type: pkcs11js.CKA_OBJECT_ID, value: bytes(dataId) },
  { type: pkcs11js.CKA_VALUE, value: bytes(dataValue) },
]);
lib.C_CloseSession(session);
lib.C_Finalize();
process.stdout.write('planted\n');

// Changes the master key on a SoftHSM token, as one can who has its directory and its PIN. Words: the module; `another`
// key under the same ids, `two` under each, `another-mac` for the half that authenticates rows only, or `none`. The PIN
// comes on the standard input.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import pkcs11js from 'pkcs11js';
import { mkMac, mkWrap } from '../../dist/pkcs11/templates.js';

const [module, change] = process.argv.slice(2);
const HALVES = change === 'another-mac' ? { 'mk-mac': mkMac } : { 'mk-wrap': mkWrap, 'mk-mac': mkMac };
const lib = new pkcs11js.PKCS11();
lib.load(module);
lib.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK });
const slot = lib.C_GetSlotList(true).find((one) => lib.C_GetTokenInfo(one).flags & pkcs11js.CKF_TOKEN_INITIALIZED);
const session = lib.C_OpenSession(slot, pkcs11js.CKF_RW_SESSION | pkcs11js.CKF_SERIAL_SESSION);
lib.C_Login(session, pkcs11js.CKU_USER, readFileSync(0, 'utf8'));
for (const [label, template] of Object.entries(HALVES)) {
  lib.C_FindObjectsInit(session, [
    { type: pkcs11js.CKA_TOKEN, value: true },
    { type: pkcs11js.CKA_LABEL, value: label },
  ]);
  const [key, ...others] = lib.C_FindObjects(session, 2);
  lib.C_FindObjectsFinal(session);
  if (key === undefined || others.length > 0) throw new Error(`there must be one ${label}`);
  const [{ value: id }] = lib.C_GetAttributeValue(session, key, [{ type: pkcs11js.CKA_ID }]);
  if (change !== 'two') lib.C_DestroyObject(session, key);
  if (change !== 'none') {
    lib.C_CreateObject(session, [...template(id), { type: pkcs11js.CKA_VALUE, value: randomBytes(32) }]);
  }
}
lib.C_CloseSession(session);
lib.C_Finalize();
process.stdout.write('changed\n');

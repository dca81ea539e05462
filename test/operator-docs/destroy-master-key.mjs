// Destroys the objects of a master key on a token, as anybody can who has its PIN. Arguments: module, serial; the PIN on
// standard input.
import { readFileSync } from 'node:fs';
import pkcs11js from 'pkcs11js';

const [module, serial] = process.argv.slice(2);
const pin = readFileSync(0, 'utf8').trim();
const lib = new pkcs11js.PKCS11();
lib.load(module);
lib.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK });
const slot = lib.C_GetSlotList(true).find((one) => lib.C_GetTokenInfo(one).serialNumber.trim() === serial);
const session = lib.C_OpenSession(slot, pkcs11js.CKF_RW_SESSION | pkcs11js.CKF_SERIAL_SESSION);
lib.C_Login(session, pkcs11js.CKU_USER, pin);
let destroyed = 0;
for (const label of ['mk-wrap', 'mk-mac']) {
  lib.C_FindObjectsInit(session, [{ type: pkcs11js.CKA_LABEL, value: label }]);
  const found = lib.C_FindObjects(session, 10);
  lib.C_FindObjectsFinal(session);
  for (const object of found) lib.C_DestroyObject(session, object);
  destroyed += found.length;
}
lib.C_Logout(session);
lib.C_Finalize();
process.stdout.write(`${destroyed}\n`);

import pkcs11js, { type Handle, type Template } from 'pkcs11js';
import { KeysteadError, needs } from '../shared/errors.js';
import { ckrOf } from './ckr.js';
import type { Session } from './session-pool.js';

/** How many handles one C_FindObjects call may bring; the loop goes on until a call brings none. */
const BATCH = 64;

/** The answers that mean "this object has no such attribute": a torn object, a class without it, or a secret value. */
const NO_VALUE: readonly (number | undefined)[] = [
  pkcs11js.CKR_ATTRIBUTE_TYPE_INVALID,
  pkcs11js.CKR_ATTRIBUTE_SENSITIVE,
  pkcs11js.CKR_ATTRIBUTE_VALUE_INVALID,
  pkcs11js.CKR_OBJECT_HANDLE_INVALID,
];

/** Whether an error of C_GetAttributeValue means no more than that the object has no such attribute to show. */
export function isAbsent(thrown: unknown): boolean {
  return NO_VALUE.includes(ckrOf(thrown));
}

/** Every object that matches, none being an empty list and never an error (PKCS#11 2.40 section 5.7). */
export function findAll({ lib, handle }: Session, template: Template): Handle[] {
  lib.C_FindObjectsInit(handle, template);
  const found: Handle[] = [];
  for (let batch = lib.C_FindObjects(handle, BATCH); batch.length > 0; batch = lib.C_FindObjects(handle, BATCH)) {
    found.push(...batch);
  }
  lib.C_FindObjectsFinal(handle);
  return found;
}

/**
 * The one token object of a class with this CKA_ID, or undefined. Two are an error (UNIT_FAULT): somebody put a second
 * key under our id, and picking one would be a guess. Session copies carry the same id, hence CKA_TOKEN.
 */
export function findOne(session: Session, objectClass: number, id: Buffer): Handle | undefined {
  const found = findAll(session, [
    { type: pkcs11js.CKA_TOKEN, value: true },
    { type: pkcs11js.CKA_PRIVATE, value: true }, // a public one can be written into SoftHSM's files without a PIN
    { type: pkcs11js.CKA_CLASS, value: objectClass },
    { type: pkcs11js.CKA_ID, value: id },
  ]);
  needs(found.length <= 1, 'UNIT_FAULT', `${found.length} objects on the token have the id ${id.toString('hex')}`);
  return found[0];
}

/** Like findOne, where one must be there; UNIT_FAULT when it is not. */
export function theOne(session: Session, objectClass: number, id: Buffer): Handle {
  const found = findOne(session, objectClass, id);
  if (!found) throw new KeysteadError('UNIT_FAULT', `the token holds no such object, ${id.toString('hex')}`);
  return found;
}

/** An attribute's bytes; undefined when the object has no such attribute or keeps it to itself. */
export function attribute({ lib, handle }: Session, object: Handle, type: number): Buffer | undefined {
  try {
    return lib.C_GetAttributeValue(handle, object, [{ type }])[0]?.value;
  } catch (cause) {
    if (isAbsent(cause)) return undefined;
    throw cause;
  }
}

/** The 16 bytes that name an object: CKA_ID, or CKA_OBJECT_ID of a data object; empty for a torn one. */
export function idOf(session: Session, object: Handle): Buffer {
  return (
    attribute(session, object, pkcs11js.CKA_ID) ?? attribute(session, object, pkcs11js.CKA_OBJECT_ID) ?? Buffer.alloc(0)
  );
}

/** Id and value of every data object that matches; a torn one has an empty value. */
export function dataIn(session: Session, template: Template): { id: Buffer; value: Buffer }[] {
  return findAll(session, template).map((object) => ({
    id: idOf(session, object),
    value: attribute(session, object, pkcs11js.CKA_VALUE) ?? Buffer.alloc(0),
  }));
}

/** Every token object with this id, of any class. UNIT_FAULT for an empty one: whatever does not tell its id would match. */
export function withId(session: Session, id: Buffer): Handle[] {
  needs(id.length > 0, 'UNIT_FAULT', 'objects without an id are found one by one, by an inventory');
  const all = findAll(session, [{ type: pkcs11js.CKA_TOKEN, value: true }]);
  return all.filter((object) => idOf(session, object).equals(id));
}

/** Destroys every token object with this id; how many went. */
export function destroyAll(session: Session, id: Buffer): number {
  const named = withId(session, id);
  destroyEach(session, named);
  return named.length;
}

/** Destroys these objects. */
export function destroyEach({ lib, handle }: Session, objects: readonly Handle[]): void {
  for (const object of objects) lib.C_DestroyObject(handle, object);
}

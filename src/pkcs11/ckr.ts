import { isNativeError } from 'node:util/types';
import pkcs11js from 'pkcs11js';
import { type ErrorCode, KeysteadError, messageOf } from '../shared/errors.js';

/**
 * What a PKCS#11 return value means to us. The policy:
 * - data: what was handed in is bad; the same everywhere, so never tried on another unit.
 * - ambiguous: SoftHSM says this for bad ciphertext and for a broken token alike. A call that takes a caller's ciphertext
 *   proves the unit with a canary before it blames either (unit-token.ts); anywhere else the unit is at fault.
 * - credential: stop at once. A PIN refused once is never tried again, since real tokens lock or wipe themselves.
 * - gone: the token is not there; only C_Finalize and C_Initialize bring it back.
 * - handle: a cached handle died; find or unwrap again, once.
 * - unsuitable: the token cannot do, or forbids, what was asked; permanent, trying again is no use.
 * Every other value is a fault of the unit: another unit serves, and this one is opened anew.
 */
const MEANING = {
  data: [
    pkcs11js.CKR_DATA_INVALID,
    pkcs11js.CKR_DATA_LEN_RANGE,
    pkcs11js.CKR_ENCRYPTED_DATA_INVALID,
    pkcs11js.CKR_ENCRYPTED_DATA_LEN_RANGE,
    pkcs11js.CKR_SIGNATURE_INVALID,
    pkcs11js.CKR_SIGNATURE_LEN_RANGE,
    pkcs11js.CKR_WRAPPED_KEY_INVALID,
    pkcs11js.CKR_WRAPPED_KEY_LEN_RANGE,
  ],
  ambiguous: [pkcs11js.CKR_GENERAL_ERROR, pkcs11js.CKR_FUNCTION_FAILED],
  credential: [
    pkcs11js.CKR_PIN_INCORRECT,
    pkcs11js.CKR_PIN_INVALID,
    pkcs11js.CKR_PIN_LEN_RANGE,
    pkcs11js.CKR_PIN_EXPIRED,
    pkcs11js.CKR_PIN_LOCKED,
    pkcs11js.CKR_USER_PIN_NOT_INITIALIZED,
  ],
  gone: [
    pkcs11js.CKR_DEVICE_REMOVED,
    pkcs11js.CKR_TOKEN_NOT_PRESENT,
    pkcs11js.CKR_TOKEN_NOT_RECOGNIZED,
    pkcs11js.CKR_SLOT_ID_INVALID,
  ],
  handle: [
    pkcs11js.CKR_OBJECT_HANDLE_INVALID,
    pkcs11js.CKR_KEY_HANDLE_INVALID,
    pkcs11js.CKR_UNWRAPPING_KEY_HANDLE_INVALID,
    pkcs11js.CKR_WRAPPING_KEY_HANDLE_INVALID,
  ],
  unsuitable: [
    pkcs11js.CKR_ARGUMENTS_BAD,
    pkcs11js.CKR_ATTRIBUTE_READ_ONLY,
    pkcs11js.CKR_ATTRIBUTE_SENSITIVE,
    pkcs11js.CKR_ATTRIBUTE_TYPE_INVALID,
    pkcs11js.CKR_ATTRIBUTE_VALUE_INVALID,
    pkcs11js.CKR_FUNCTION_NOT_SUPPORTED,
    pkcs11js.CKR_KEY_FUNCTION_NOT_PERMITTED,
    pkcs11js.CKR_KEY_NOT_WRAPPABLE,
    pkcs11js.CKR_KEY_SIZE_RANGE,
    pkcs11js.CKR_KEY_TYPE_INCONSISTENT,
    pkcs11js.CKR_KEY_UNEXTRACTABLE,
    pkcs11js.CKR_MECHANISM_INVALID,
    pkcs11js.CKR_MECHANISM_PARAM_INVALID,
    pkcs11js.CKR_TEMPLATE_INCOMPLETE,
    pkcs11js.CKR_TEMPLATE_INCONSISTENT,
    0x1b, // CKR_ACTION_PROHIBITED, which pkcs11js does not name
  ],
} as const satisfies Record<string, readonly number[]>;
export type CkrClass = keyof typeof MEANING | 'fault';

const CODE = {
  data: 'CIPHERTEXT_INVALID',
  ambiguous: 'UNIT_FAULT',
  credential: 'PIN_REFUSED',
  gone: 'TOKEN_LOST',
  handle: 'UNIT_FAULT',
  unsuitable: 'TOKEN_UNSUITABLE',
  fault: 'UNIT_FAULT',
} as const satisfies Record<CkrClass, ErrorCode>;

const CLASS_OF: ReadonlyMap<number, CkrClass> = new Map(
  (Object.keys(MEANING) as (keyof typeof MEANING)[]).flatMap((name) =>
    MEANING[name].map((ckr) => [ckr, name] as const),
  ),
);

/**
 * The return value behind an error: of a Pkcs11Error, of the plain `Error('CKR_X:n')` that C_CreateObject, C_CopyObject,
 * C_SetAttributeValue and C_FindObjects throw, or of the cause of a KeysteadError. Undefined when there is none.
 */
export function ckrOf(thrown: unknown): number | undefined {
  if (thrown instanceof KeysteadError) return ckrOf(thrown.cause);
  if (!isNativeError(thrown)) return undefined; // and not instanceof: in Jest, native errors are of another realm
  if ('code' in thrown && typeof thrown.code === 'number' && thrown.message.startsWith('CKR_')) return thrown.code;
  const number = /CKR_\w+:(\d+)/.exec(thrown.message)?.[1];
  return number === undefined ? undefined : Number(number);
}

/** The class of the return value behind an error; undefined when no PKCS#11 call failed. */
export function ckrClass(thrown: unknown): CkrClass | undefined {
  const ckr = ckrOf(thrown);
  return ckr === undefined ? undefined : (CLASS_OF.get(ckr) ?? 'fault');
}

/**
 * What is told to the rest of Keystead: `doing` says what was tried and what to do about it. A KeysteadError stays as it
 * is. `fallback` is the code for an error that is not of PKCS#11: a mistake of ours, unless told otherwise.
 */
export function toKeysteadError(cause: unknown, doing: string, fallback: ErrorCode = 'INTERNAL'): KeysteadError {
  if (cause instanceof KeysteadError) return cause;
  const found = ckrClass(cause);
  return new KeysteadError(found ? CODE[found] : fallback, `${doing} (${messageOf(cause)})`, { cause });
}

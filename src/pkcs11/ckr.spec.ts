import pkcs11js from 'pkcs11js';
import { KeysteadError } from '../shared/errors.js';
import { ckrClass, ckrOf, toKeysteadError } from './ckr.js';

const failed = (name: string, code: number) => new pkcs11js.Pkcs11Error(`${name}:${code}`);

describe('the return value behind an error', () => {
  it('is read off a Pkcs11Error', () => {
    expect(ckrOf(failed('CKR_PIN_INCORRECT', 160))).toBe(pkcs11js.CKR_PIN_INCORRECT);
  });
  it('is read off the plain errors that some calls of pkcs11js throw', () => {
    expect(ckrOf(new Error('CKR_TEMPLATE_INCONSISTENT:209'))).toBe(pkcs11js.CKR_TEMPLATE_INCONSISTENT);
    expect(ckrOf(new Error('CKR_VENDOR_DEFINED:2147483905\n at x'))).toBe(0x80000101);
  });
  it('is read off the cause of a KeysteadError', () => {
    const cause = failed('CKR_GENERAL_ERROR', 5);
    expect(ckrOf(new KeysteadError('UNIT_FAULT', 'decrypting', { cause }))).toBe(pkcs11js.CKR_GENERAL_ERROR);
  });
  it.each([new TypeError('not a function'), new Error('ENOENT'), 'CKR_GENERAL_ERROR:5', undefined])(
    'is not there in %p',
    (thrown) => expect(ckrOf(thrown)).toBeUndefined(),
  );
});

describe('what a return value means', () => {
  it.each([
    ['CKR_ENCRYPTED_DATA_INVALID', 64, 'data', 'CIPHERTEXT_INVALID'],
    ['CKR_WRAPPED_KEY_INVALID', 272, 'data', 'CIPHERTEXT_INVALID'],
    ['CKR_GENERAL_ERROR', 5, 'ambiguous', 'UNIT_FAULT'],
    ['CKR_FUNCTION_FAILED', 6, 'ambiguous', 'UNIT_FAULT'],
    ['CKR_PIN_INCORRECT', 160, 'credential', 'PIN_REFUSED'],
    ['CKR_PIN_LOCKED', 164, 'credential', 'PIN_REFUSED'],
    ['CKR_DEVICE_REMOVED', 50, 'gone', 'TOKEN_LOST'],
    ['CKR_TOKEN_NOT_PRESENT', 224, 'gone', 'TOKEN_LOST'],
    ['CKR_OBJECT_HANDLE_INVALID', 130, 'handle', 'UNIT_FAULT'],
    ['CKR_MECHANISM_INVALID', 112, 'unsuitable', 'TOKEN_UNSUITABLE'],
    ['CKR_VENDOR_DEFINED', 27, 'unsuitable', 'TOKEN_UNSUITABLE'], // CKR_ACTION_PROHIBITED, unnamed in pkcs11js
    ['CKR_DEVICE_ERROR', 48, 'fault', 'UNIT_FAULT'],
    ['CKR_VENDOR_DEFINED', 0x80000101, 'fault', 'UNIT_FAULT'],
  ])('%s %i is of class %s and told as %s', (name, number, found, code) => {
    const cause = failed(name, number);
    expect(ckrClass(cause)).toBe(found);
    expect(toKeysteadError(cause, 'trying')).toMatchObject({ code, cause });
  });
  it('leaves a KeysteadError as it is', () => {
    const error = new KeysteadError('KEY_STATE', 'no');
    expect(toKeysteadError(error, 'trying')).toBe(error);
  });
  it('calls an error that is not of PKCS#11 a mistake of ours, never a fault of the unit', () => {
    expect(toKeysteadError(new TypeError('x is not a function'), 'trying').code).toBe('INTERNAL');
  });
});

import { randomBytes } from 'node:crypto';
import pkcs11js, { type Attribute, type Template } from 'pkcs11js';
import { certificateNames } from './der.js';
import { AES_256_BYTES, type ImportPairBits, RSA_IMPORTER_BITS } from './mechanisms.js';

/**
 * Every object Keystead makes, one template per role. Each states every attribute: a module's default for a usage is "on",
 * and a key that may both wrap and decrypt gives away whatever it wraps (Clulow 2003). All objects are private: SoftHSM
 * keeps public ones unencrypted, editable without a PIN.
 * CKA_MODIFIABLE is false but for the keys in daily use, unit-mac, mk-wrap and mk-mac: these are copied to session objects,
 * which no longer touch the disk, and SoftHSM refuses to copy what it may not modify. It stands last, because SoftHSM
 * refuses whatever follows it in an unwrap template. Nobody calls C_SetAttributeValue.
 */
const SECRET_USES = {
  encrypt: pkcs11js.CKA_ENCRYPT,
  decrypt: pkcs11js.CKA_DECRYPT,
  sign: pkcs11js.CKA_SIGN,
  verify: pkcs11js.CKA_VERIFY,
  wrap: pkcs11js.CKA_WRAP,
  unwrap: pkcs11js.CKA_UNWRAP,
  derive: pkcs11js.CKA_DERIVE,
} as const;
type SecretUse = keyof typeof SECRET_USES;

const PRIVATE_USES = {
  decrypt: pkcs11js.CKA_DECRYPT,
  sign: pkcs11js.CKA_SIGN,
  signRecover: pkcs11js.CKA_SIGN_RECOVER,
  unwrap: pkcs11js.CKA_UNWRAP,
  derive: pkcs11js.CKA_DERIVE,
} as const;
type PrivateUse = keyof typeof PRIVATE_USES;

const PUBLIC_USES = {
  encrypt: pkcs11js.CKA_ENCRYPT,
  verify: pkcs11js.CKA_VERIFY,
  verifyRecover: pkcs11js.CKA_VERIFY_RECOVER,
  wrap: pkcs11js.CKA_WRAP,
  derive: pkcs11js.CKA_DERIVE,
} as const;
type PublicUse = keyof typeof PUBLIC_USES;

interface Shape {
  readonly label: string;
  readonly id: Buffer;
  readonly onToken: boolean;
  /** One of the keys that are copied to session objects. */
  readonly copied?: boolean;
  readonly isPrivate?: boolean;
}

/** A session object that nobody looks up. */
export function inSession(label: string): Shape {
  return { label, id: Buffer.alloc(0), onToken: false };
}

function only(allowed: readonly string[], uses: Record<string, number>): Attribute[] {
  return Object.entries(uses).map(([use, type]) => ({ type, value: allowed.includes(use) }));
}

function object(objectClass: number, shape: Shape, ...more: Attribute[]): Template {
  return [
    { type: pkcs11js.CKA_CLASS, value: objectClass },
    { type: pkcs11js.CKA_TOKEN, value: shape.onToken },
    { type: pkcs11js.CKA_PRIVATE, value: shape.isPrivate ?? true },
    { type: pkcs11js.CKA_LABEL, value: shape.label },
    ...more,
    { type: pkcs11js.CKA_MODIFIABLE, value: shape.copied ?? false },
  ];
}

function key(objectClass: number, keyType: number, shape: Shape, ...more: Attribute[]): Template {
  const named = [
    { type: pkcs11js.CKA_KEY_TYPE, value: keyType },
    { type: pkcs11js.CKA_ID, value: shape.id },
  ];
  return object(objectClass, shape, ...named, ...more);
}

function hidden(extractable = false): Attribute[] {
  return [
    { type: pkcs11js.CKA_SENSITIVE, value: true },
    { type: pkcs11js.CKA_EXTRACTABLE, value: extractable },
  ];
}

export function secret(keyType: number, uses: readonly SecretUse[], shape: Shape, ...more: Attribute[]): Template {
  return key(pkcs11js.CKO_SECRET_KEY, keyType, shape, ...hidden(), ...only(uses, SECRET_USES), ...more);
}

export function privateHalf(keyType: number, uses: readonly PrivateUse[], shape: Shape, extractable = false): Template {
  return key(pkcs11js.CKO_PRIVATE_KEY, keyType, shape, ...hidden(extractable), ...only(uses, PRIVATE_USES));
}

export function publicHalf(keyType: number, uses: readonly PublicUse[], shape: Shape, ...more: Attribute[]): Template {
  return key(pkcs11js.CKO_PUBLIC_KEY, keyType, shape, ...only(uses, PUBLIC_USES), ...more);
}

export interface PairTemplates {
  readonly publicKey: Template;
  readonly privateKey: Template;
}

/** Length of a key to be generated. SoftHSM refuses it in an unwrap template, where the length follows from the blob. */
export function valueLength(bytes: number): Attribute {
  return { type: pkcs11js.CKA_VALUE_LEN, value: bytes };
}

/** Value of a key to be created; before CKA_MODIFIABLE, as everything. */
export function value(bytes: Buffer): Attribute {
  return { type: pkcs11js.CKA_VALUE, value: bytes };
}

/** HMAC key of the unit record: made in the token at claim, never leaves it. */
export function unitMac(id: Buffer): Template {
  const shape = { label: 'unit-mac', id, onToken: true, copied: true };
  return secret(pkcs11js.CKK_GENERIC_SECRET, ['sign', 'verify'], shape, valueLength(AES_256_BYTES));
}

/** DER of the object identifier of P-256, prime256v1 1.2.840.10045.3.1.7 (RFC 5480 section 2.1.1.1). */
export const P256_PARAMETERS = Buffer.from('06082a8648ce3d030107', 'hex');

/** ECDSA P-256 pair that signs receipts: made in the token at claim. */
export function receiptKeyPair(id: Buffer, onToken = true): PairTemplates {
  const shape = { label: 'receipt-key', id, onToken };
  return {
    // it verifies nothing here, but NSS makes no EC pair that may not
    publicKey: publicHalf(pkcs11js.CKK_EC, ['verify'], shape, { type: pkcs11js.CKA_EC_PARAMS, value: P256_PARAMETERS }),
    privateKey: privateHalf(pkcs11js.CKK_EC, ['sign'], shape),
  };
}

/** The public half of an RSA pair to be generated; it is read and then of no use. */
function rsaPublicHalf(bits: number, shape: Shape): Template {
  const modulus = { type: pkcs11js.CKA_MODULUS_BITS, value: bits };
  const exponent = { type: pkcs11js.CKA_PUBLIC_EXPONENT, value: Buffer.from([1, 0, 1]) };
  return publicHalf(pkcs11js.CKK_RSA, [], shape, modulus, exponent);
}

/** One-time RSA pair to which a master key is encrypted: session objects, unwrap only. */
export function importerPair(id: Buffer): PairTemplates {
  const shape = { label: 'importer', id, onToken: false };
  return {
    publicKey: rsaPublicHalf(RSA_IMPORTER_BITS, shape),
    privateKey: privateHalf(pkcs11js.CKK_RSA, ['unwrap'], shape),
  };
}

/** An import pair as it is born: extractable for the one wrap under mk-wrap that follows, and no use of its own. */
export function importPairToGenerate(bits: ImportPairBits): PairTemplates {
  const shape = { ...inSession('import-pair'), id: randomBytes(16) };
  return { publicKey: rsaPublicHalf(bits, shape), privateKey: privateHalf(pkcs11js.CKK_RSA, [], shape, true) };
}

/** The private half as it is used, unwrapped: for OAEP in the token ('unwrap'), or for raw RSA ('decrypt'). */
export function importPairToUse(use: 'unwrap' | 'decrypt'): Template {
  return privateHalf(pkcs11js.CKK_RSA, [use], inSession('import-pair'));
}

/** A key that came in through an import pair: it decrypts the nonce that proves it. */
export function importedKey(...more: Attribute[]): Template {
  return inPassing('imported-key', ['decrypt'], ...more);
}

/** Key material of a client's: no use of its own. */
export function materialToWrap(material: Buffer): Template {
  return inPassing('material', [], value(material));
}

/** The half of the master key that wraps root keys. It can never decrypt, or root keys could be read out through it. */
export function mkWrap(id: Buffer): Template {
  return secret(pkcs11js.CKK_AES, ['wrap', 'unwrap'], { label: 'mk-wrap', id, onToken: true, copied: true });
}

/** The half of the master key that authenticates key rows. */
export function mkMac(id: Buffer): Template {
  return secret(pkcs11js.CKK_GENERIC_SECRET, ['sign', 'verify'], { label: 'mk-mac', id, onToken: true, copied: true });
}

/** An AES key as a session object that is extractable for the one wrap under mk-wrap that follows. */
function inPassing(label: string, uses: readonly SecretUse[], ...more: Attribute[]): Template {
  const attributes = [...hidden(true), ...only(uses, SECRET_USES), ...more];
  return key(pkcs11js.CKO_SECRET_KEY, pkcs11js.CKK_AES, inSession(label), ...attributes);
}

/** A root key as it is born: no use of its own. */
export function rootKeyToGenerate(): Template {
  return inPassing('root-key', [], valueLength(AES_256_BYTES));
}

/** A root key as it is used: unwrapped from its blob, encrypts and decrypts, never leaves. */
export function rootKeyToUse(): Template {
  return secret(pkcs11js.CKK_AES, ['encrypt', 'decrypt'], inSession('root-key'));
}

/** The check key inside the check blob: proves that mk-wrap is the right one. */
export function checkKey(): Template {
  return secret(pkcs11js.CKK_GENERIC_SECRET, ['sign', 'verify'], inSession('check-key'));
}

/** Probing only (probe.ts): mk-wrap as a session object. */
export function probeKek(...more: Attribute[]): Template {
  return secret(pkcs11js.CKK_AES, ['wrap', 'unwrap'], inSession('probe'), ...more);
}

/** Probing only: a key with a known value, which can therefore be extractable. */
export function probeExtractable(...more: Attribute[]): Template {
  return inPassing('probe', [], ...more);
}

/** What copies a token key to a session object: everything else stays as it is. */
export const SESSION_COPY: Template = [{ type: pkcs11js.CKA_TOKEN, value: false }];

/** A data object. PKCS#11 gives it no CKA_ID, so the id goes into CKA_OBJECT_ID. */
export function data(label: string, id: Buffer, value: Buffer): Template {
  return object(
    pkcs11js.CKO_DATA,
    { label, id, onToken: true },
    { type: pkcs11js.CKA_APPLICATION, value: 'keystead' },
    { type: pkcs11js.CKA_OBJECT_ID, value: id },
    { type: pkcs11js.CKA_VALUE, value },
  );
}

/** Finds the data objects of a label. */
export function dataLabelled(label: string): Template {
  return [
    { type: pkcs11js.CKA_TOKEN, value: true },
    { type: pkcs11js.CKA_PRIVATE, value: true }, // a public one can be written into SoftHSM's files without a PIN
    { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_DATA },
    { type: pkcs11js.CKA_LABEL, value: label },
  ];
}

/** An X.509 certificate, with the names that PKCS#11 wants beside it; public only where a module has no private ones. */
export function certificate(label: string, id: Buffer, der: Buffer, isPrivate = true): Template {
  const { serialNumber, issuer, subject } = certificateNames(der);
  return object(
    pkcs11js.CKO_CERTIFICATE,
    { label, id, onToken: true, isPrivate },
    { type: pkcs11js.CKA_CERTIFICATE_TYPE, value: pkcs11js.CKC_X_509 },
    { type: pkcs11js.CKA_ID, value: id },
    { type: pkcs11js.CKA_SERIAL_NUMBER, value: serialNumber },
    { type: pkcs11js.CKA_ISSUER, value: issuer },
    { type: pkcs11js.CKA_SUBJECT, value: subject },
    { type: pkcs11js.CKA_VALUE, value: der },
  );
}

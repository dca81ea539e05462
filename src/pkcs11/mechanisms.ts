import pkcs11js, { type Mechanism } from 'pkcs11js';

/**
 * The mechanisms Keystead uses, all of them: a token that SoftHSM provisions for us allows no other
 * (`slots.mechanisms` in its configuration, provision-softhsm.ts).
 */
export const MECHANISMS = {
  CKM_RSA_PKCS_KEY_PAIR_GEN: pkcs11js.CKM_RSA_PKCS_KEY_PAIR_GEN,
  CKM_RSA_PKCS_OAEP: pkcs11js.CKM_RSA_PKCS_OAEP,
  CKM_RSA_X_509: pkcs11js.CKM_RSA_X_509,
  CKM_RSA_PKCS: pkcs11js.CKM_RSA_PKCS,
  CKM_RSA_PKCS_PSS: pkcs11js.CKM_RSA_PKCS_PSS,
  CKM_EC_KEY_PAIR_GEN: pkcs11js.CKM_ECDSA_KEY_PAIR_GEN,
  CKM_ECDSA: pkcs11js.CKM_ECDSA,
  CKM_AES_KEY_GEN: pkcs11js.CKM_AES_KEY_GEN,
  CKM_AES_GCM: pkcs11js.CKM_AES_GCM,
  CKM_AES_KEY_WRAP: pkcs11js.CKM_AES_KEY_WRAP,
  CKM_AES_KEY_WRAP_PAD: pkcs11js.CKM_AES_KEY_WRAP_PAD,
  CKM_GENERIC_SECRET_KEY_GEN: pkcs11js.CKM_GENERIC_SECRET_KEY_GEN,
  CKM_SHA256_HMAC: pkcs11js.CKM_SHA256_HMAC,
} as const;

/** RFC 5649 is 0x210B in PKCS#11 3.x and in NSS; SoftHSM means it by 0x210A. Which one is right is found by known answer. */
export const KWP_CANDIDATES = [0x210b, pkcs11js.CKM_AES_KEY_WRAP_PAD] as const;

export const IV_BYTES = 12;
export const TAG_BYTES = 16;
export const AES_256_BYTES = 32;
export const HMAC_BYTES = 32;
/** RFC 3394 adds one 64-bit integrity block. */
export const KW_OVERHEAD_BYTES = 8;
export const RSA_IMPORTER_BITS = 3072;
/** Sizes of the pairs to which clients encrypt keys. */
export const IMPORT_PAIR_BITS = [2048, 3072, 4096] as const;
export type ImportPairBits = (typeof IMPORT_PAIR_BITS)[number];
/** AES-128, AES-192, AES-256. */
export const AES_BYTES: readonly number[] = [16, 24, AES_256_BYTES];

export const OAEP_HASHES = ['SHA-256', 'SHA-1'] as const;
export type OaepHash = (typeof OAEP_HASHES)[number];

const OAEP = {
  'SHA-256': { hashAlg: pkcs11js.CKM_SHA256, mgf: pkcs11js.CKG_MGF1_SHA256 },
  'SHA-1': { hashAlg: pkcs11js.CKM_SHA_1, mgf: pkcs11js.CKG_MGF1_SHA1 },
} as const satisfies Record<OaepHash, object>;

/** CKZ_DATA_SPECIFIED, which pkcs11js does not name: the label (here none) is in the parameter. */
const CKZ_DATA_SPECIFIED = 1;

/** AES-GCM, NIST SP 800-38D, 128-bit tag. In the PKCS#11 2.40 layout, the one that SoftHSM and NSS both read. */
export function gcm(iv: Buffer, aad: Buffer): Mechanism {
  const parameter = {
    type: pkcs11js.CK_PARAMS_AES_GCM_v240,
    iv,
    ivBits: iv.length * 8,
    aad,
    tagBits: TAG_BYTES * 8,
  };
  return { mechanism: MECHANISMS.CKM_AES_GCM, parameter };
}

/** RSAES-OAEP, RFC 8017 section 7.1, MGF1 over the same hash, no label. */
export function oaep(hash: OaepHash): Mechanism {
  const parameter = { type: pkcs11js.CK_PARAMS_RSA_OAEP, ...OAEP[hash], source: CKZ_DATA_SPECIFIED };
  return { mechanism: MECHANISMS.CKM_RSA_PKCS_OAEP, parameter };
}

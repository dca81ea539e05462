import { z } from 'zod';
import { base64, body, hex, KeyName, optionalInteger, text } from './fields.js';
import { AnsweredId } from './key.schemas.js';
import { HuaweiRefusal } from './refusals.js';

export const MOST_PLAINTEXT_BYTES = 4096;
export const MOST_DATA_KEY_BYTES = 1024;
const MOST_CONTEXT_CHARACTERS = 8192;
const MOST_AAD_BYTES = 128;
const MOST_CIPHERTEXT_CHARACTERS = 5648;
const LEAST_CIPHERTEXT_CHARACTERS = 128;
const DIGEST_BYTES = 32;
const HEX_DIGITS_A_BYTE = 2;
/** Of a data key as a ciphertext. */
const MOST_SEALED_DIGITS = 4096;
const DEFAULT_DATA_KEY_BITS = 256;
const DATA_KEY_BITS = { AES_256: 256, AES_128: 128 } as const;

/** What binds a ciphertext: OTC's pairs, or Huawei's text. */
const context = {
  encryption_context: z
    .record(z.string(), z.string(), 'KMS.0208')
    .refine((pairs) => JSON.stringify(pairs).length <= MOST_CONTEXT_CHARACTERS, 'KMS.0208')
    .optional(),
  additional_authenticated_data: text('KMS.0208')
    .refine((given) => Buffer.byteLength(given) <= MOST_AAD_BYTES, 'KMS.0208')
    .optional(),
};
const encryption_algorithm = z.enum(['', 'SYMMETRIC_DEFAULT']).optional();

interface Context {
  readonly encryption_context?: Readonly<Record<string, string>> | undefined;
  readonly additional_authenticated_data?: string | undefined;
}

/** The context in one order, whichever it was sent in; what kind of ciphertext it is comes first. */
export function contextOf(kind: 'data' | 'data-key', given: Context): string[] {
  const { encryption_context: pairs = {}, additional_authenticated_data: aad = '' } = given;
  const names = Object.keys(pairs).sort();
  if (names.length > 0 && aad !== '') throw new HuaweiRefusal('KMS.0208');
  if (names.length > 0) return [kind, 'pairs', ...names.flatMap((name) => [name, pairs[name] as string])];
  return aad === '' ? [kind] : [kind, 'text', aad];
}

export const EncryptBody = body({
  key_id: KeyName,
  plain_text: text('KMS.2101')
    .min(1, 'KMS.2101')
    .refine((plain) => Buffer.byteLength(plain) <= MOST_PLAINTEXT_BYTES, 'KMS.2101'),
  encryption_algorithm,
  ...context,
});
export const DecryptBody = body({
  key_id: z.union([z.literal(''), KeyName], 'KMS.0205').optional(),
  cipher_text: base64('KMS.2201', LEAST_CIPHERTEXT_CHARACTERS, MOST_CIPHERTEXT_CHARACTERS),
  encryption_algorithm,
  ...context,
});

/** Bits of a data key: datakey_length before key_spec. */
export const DataKeyBody = body({
  key_id: KeyName,
  datakey_length: optionalInteger('KMS.1901', 8, MOST_DATA_KEY_BYTES * 8).refine(
    (bits) => bits === undefined || bits % 8 === 0,
    'KMS.1903',
  ),
  key_spec: z.enum(['AES_256', 'AES_128'], 'KMS.1902').optional(),
  ...context,
}).transform((given) => {
  const bits = given.datakey_length ?? (given.key_spec ? DATA_KEY_BITS[given.key_spec] : DEFAULT_DATA_KEY_BITS);
  return { ...given, bytes: bits / 8 };
});

/** The data key and its SHA-256, in hexadecimal. */
export const EncryptDataKeyBody = body({
  key_id: KeyName,
  plain_text: hex('KMS.2101', (MOST_DATA_KEY_BYTES + DIGEST_BYTES) * HEX_DIGITS_A_BYTE).refine(
    (bytes) => bytes.length > DIGEST_BYTES,
    'KMS.2101',
  ),
  datakey_plain_length: optionalInteger('KMS.2102', 1, MOST_DATA_KEY_BYTES),
  ...context,
});
export const DecryptDataKeyBody = body({
  key_id: KeyName,
  cipher_text: hex('KMS.2201', MOST_SEALED_DIGITS),
  datakey_cipher_length: optionalInteger('KMS.2202', 1, MOST_DATA_KEY_BYTES),
  ...context,
});

const Hex = z.string().regex(/^([0-9A-F]{2})+$/);
const Digits = z.string().regex(/^\d+$/);
export const Encrypted = z.strictObject({ key_id: AnsweredId, cipher_text: z.base64() });
export const Decrypted = z.strictObject({ key_id: AnsweredId, plain_text: z.string(), plain_text_base64: z.base64() });
export const NewDataKey = z.strictObject({ key_id: AnsweredId, plain_text: Hex, cipher_text: Hex });
export const SealedDataKey = z.strictObject({ key_id: AnsweredId, cipher_text: Hex });
export const EncryptedDataKey = z.strictObject({ key_id: AnsweredId, cipher_text: Hex, datakey_length: Digits });
export const DecryptedDataKey = z.strictObject({ data_key: Hex, datakey_length: Digits, datakey_dgst: Hex });

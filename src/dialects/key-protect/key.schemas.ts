import { z } from 'zod';
import { KEY_STATES } from '../../keys/key-state.js';
import type { Material } from '../../keys/material.js';
import { FieldError, KeysteadError } from '../../shared/errors.js';
import { ALIAS_RULES, Alias } from './alias-limits.js';
import { Base64, Collection, DateText, KEY_TYPE, Listed, Text, Timestamp, VERSION_TYPE } from './wire.js';

const OAEP = { RSAES_OAEP_SHA_256: 'SHA-256', RSAES_OAEP_SHA_1: 'SHA-1' } as const;
const NONCE_BYTES = 28;
const IV_BYTES = 12;
const MAX_RESOURCES = 1;
const PLAINTEXT = 'a base64 encoded key material';

function Fixed(length: number) {
  const message = `a base64 encoded value of ${length} bytes`;
  return Base64(message).refine((bytes) => bytes.length === length, message);
}

const MATERIAL = {
  payload: Base64(PLAINTEXT).optional(),
  encryptionAlgorithm: z.enum(Object.keys(OAEP) as (keyof typeof OAEP)[], 'RSAES_OAEP_SHA_256').optional(),
  encryptedNonce: Fixed(NONCE_BYTES).optional(),
  iv: Fixed(IV_BYTES).optional(),
};
export const MaterialBody = z.strictObject(MATERIAL);

/** Members of a key that clients send back and that are not theirs to set. */
const READ_ONLY = Object.fromEntries(
  [
    ...['id', 'crn', 'state', 'imported', 'createdBy', 'creationDate', 'lastUpdateDate', 'lastRotateDate'],
    ...['algorithmType', 'algorithmMetadata', 'algorithmBitSize', 'algorithmMode', 'keyVersion', 'keyRingID'],
    ...['nonactiveStateReason', 'deleted'],
  ].map((name) => [name, z.unknown().optional()]),
);

const NEW_KEY = {
  type: z.string().optional(),
  name: Text(2, 90),
  description: Text(2, 240).optional(),
  tags: z.array(Text(0, 30)).max(30, 'at most 30 tags').optional(),
  aliases: z.array(Alias).max(ALIAS_RULES.most, `at most ${ALIAS_RULES.most} aliases`).optional(),
  extractable: z.boolean().default(false),
  expirationDate: Timestamp.optional(),
  ...MATERIAL,
};
const OVERRIDES = {
  rotation: z
    .strictObject({
      enabled: z.boolean().optional(),
      interval_month: z.int().min(1, 'between 1 and 12').max(12, 'between 1 and 12'),
    })
    .optional(),
  dualAuthDelete: z.strictObject({ enabled: z.boolean() }).optional(),
};

const NewKeyResource = z.strictObject({ ...READ_ONLY, ...NEW_KEY });
const NewKeyWithOverrides = z.strictObject({ ...READ_ONLY, ...NEW_KEY, ...OVERRIDES });
export type NewKeyResource = z.output<typeof NewKeyResource> & Partial<z.output<typeof NewKeyWithOverrides>>;

const only = <T>(resources: T[]): T => {
  const [first] = resources;
  if (first !== undefined && resources.length === 1) return first;
  throw new KeysteadError('BAD_REQUEST', 'Only creation of one key per request is supported');
};
export const CreateBody = Collection(NewKeyResource, MAX_RESOURCES).transform(only);
export const OverridesBody = Collection(NewKeyWithOverrides, MAX_RESOURCES).transform(only);
/** What old clients send to restore an imported key. */
export const RestoreBody = Collection(
  z.strictObject({ ...READ_ONLY, ...MATERIAL, name: z.unknown().optional(), type: z.unknown().optional() }),
  MAX_RESOURCES,
)
  .transform(only)
  .optional();

/** Plain or token-encrypted material. FIELD_INVALID when the members do not go together. */
export function materialOf(given: z.output<typeof MaterialBody>): Material {
  const { payload, encryptionAlgorithm, encryptedNonce, iv } = given;
  if (encryptionAlgorithm === undefined && encryptedNonce === undefined && iv === undefined) {
    return payload === undefined ? {} : { material: payload };
  }
  const need = <T>(value: T | undefined, name: string): T => {
    if (value !== undefined) return value;
    const together = 'given together with payload, encryptedNonce, iv and encryptionAlgorithm';
    throw new FieldError('FIELD_INVALID', together, { type: 'field', name });
  };
  return {
    secure: {
      wrappedKey: need(payload, 'payload'),
      encryptedNonce: need(encryptedNonce, 'encryptedNonce'),
      iv: need(iv, 'iv'),
      oaep: OAEP[encryptionAlgorithm ?? 'RSAES_OAEP_SHA_256'],
    },
  };
}

const Aad = z.array(z.string().max(255, 'at most 255 characters each')).max(255, 'at most 255 texts').optional();
const CIPHERTEXT = 'the original base64 encoded ciphertext from the wrap operation';
const Ciphertext = z
  .string()
  .refine((text) => text !== '' && Buffer.from(text, 'base64').toString('base64') === text, CIPHERTEXT);
/** What is wrapped must come back in a body: base64 in JSON in base64 in JSON is 16/9 as long. */
const MOST_PLAINTEXT_BYTES = 256 * 1024;
const Plaintext = Base64(PLAINTEXT)
  .refine((bytes) => bytes.length <= MOST_PLAINTEXT_BYTES, `${PLAINTEXT} of at most ${MOST_PLAINTEXT_BYTES} bytes`)
  .transform((bytes) => (bytes.length === 0 ? undefined : bytes)); // to Go, an empty text is none
export const WrapBody = z.strictObject({ plaintext: Plaintext.optional(), aad: Aad }).optional();
export const CiphertextBody = z.strictObject({ ciphertext: Ciphertext, aad: Aad });
export const MoveBody = z.strictObject({ keyRingID: Text(2, 100) });

const Version = z.strictObject({ id: z.uuid(), creationDate: DateText });
const VersionId = z.strictObject({ id: z.uuid() });
const ShownKey = z.strictObject({
  type: z.literal(KEY_TYPE),
  id: z.uuid(),
  name: z.string(),
  description: z.string().optional(),
  tags: z.array(z.string()).optional(),
  aliases: z.array(z.string()).optional(),
  state: z.literal(KEY_STATES).optional(),
  extractable: z.boolean().optional(),
  imported: z.boolean().optional(),
  crn: z.string().startsWith('crn:v1:'),
  keyRingID: z.string().optional(),
  expirationDate: DateText.optional(),
  creationDate: DateText.optional(),
  createdBy: z.string().optional(),
  lastUpdateDate: DateText.optional(),
  lastRotateDate: DateText.optional(),
  algorithmType: z.enum(['AES', 'Deprecated']).optional(),
  algorithmMetadata: z.strictObject({ bitLength: z.string(), mode: z.string() }).optional(),
  algorithmBitSize: z.int().optional(),
  algorithmMode: z.string().optional(),
  keyVersion: Version.optional(),
  nonactiveStateReason: z.int().optional(),
  dualAuthDelete: z
    .strictObject({
      enabled: z.boolean(),
      keySetForDeletion: z.boolean().optional(),
      authExpiration: DateText.optional(),
    })
    .optional(),
  rotation: z.strictObject({ enabled: z.boolean(), interval_month: z.int().min(1).max(12) }).optional(),
  deleted: z.boolean().optional(),
  deletionDate: DateText.optional(),
  deletedBy: z.string().optional(),
  restoreAllowed: z.boolean().optional(),
  restoreExpirationDate: DateText.optional(),
  purgeAllowed: z.boolean().optional(),
  purgeAllowedFrom: DateText.optional(),
  purgeScheduledOn: DateText.optional(),
  payload: z.base64().optional(),
});
export const KeyCollection = Listed(KEY_TYPE, ShownKey);
export const VersionCollection = Listed(VERSION_TYPE, Version);
export const WrapResult = z.strictObject({
  plaintext: z.base64().optional(),
  ciphertext: z.base64(),
  keyVersion: VersionId,
});
export const UnwrapResult = z.strictObject({
  plaintext: z.base64(),
  ciphertext: z.base64().optional(),
  keyVersion: VersionId,
  rewrappedKeyVersion: VersionId.optional(),
});
export const RewrapResult = z.strictObject({
  ciphertext: z.base64(),
  keyVersion: VersionId,
  rewrappedKeyVersion: VersionId,
});

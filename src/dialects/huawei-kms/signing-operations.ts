import { z } from 'zod';
import { GetPublicKey } from '../../keys/get-public-key.query.js';
import { SignDigest, VerifyDigest } from '../../keys/sign-digest.command.js';
import type { SigningAlgorithm } from '../../unit-agent/protocol.js';
import { base64, body, KeyName } from './fields.js';
import { AnsweredId, KeyNameBody } from './key.schemas.js';
import { operation } from './operation.js';

const ALGORITHMS = [
  'RSASSA_PSS_SHA_256',
  'RSASSA_PSS_SHA_384',
  'RSASSA_PSS_SHA_512',
  'RSASSA_PKCS1_V1_5_SHA_256',
  'RSASSA_PKCS1_V1_5_SHA_384',
  'RSASSA_PKCS1_V1_5_SHA_512',
  'ECDSA_SHA_256',
  'ECDSA_SHA_384',
  'ECDSA_SHA_512',
] as const satisfies readonly SigningAlgorithm[];
const MOST_MESSAGE_CHARACTERS = 5464; // 4096 bytes
const MOST_SIGNATURE_CHARACTERS = 1024;

const signed = {
  key_id: KeyName,
  message: base64('KMS.0308', 4, MOST_MESSAGE_CHARACTERS),
  signing_algorithm: z.enum(ALGORITHMS, 'KMS.0332'),
  message_type: z.enum(['DIGEST', 'RAW'], 'KMS.0308').default('DIGEST'),
};
const ownWords = { KEY_USAGE: 'KMS.0331', FIELD_INVALID: 'KMS.0332' } as const;

export const SIGN = operation({
  route: 'POST sign',
  request: SignDigest,
  body: body(signed),
  answer: z.strictObject({ key_id: AnsweredId, signature: z.base64() }),
  ownWords,
});

export const VERIFY = operation({
  route: 'POST verify',
  request: VerifyDigest,
  body: body({ ...signed, signature: base64('KMS.0308', 4, MOST_SIGNATURE_CHARACTERS) }),
  answer: z.strictObject({ key_id: AnsweredId, signature_valid: z.enum(['true', 'false']) }),
  ownWords,
});

export const PUBLIC_KEY = operation({
  route: 'POST get-publickey',
  request: GetPublicKey,
  body: KeyNameBody,
  answer: z.strictObject({ key_id: AnsweredId, public_key: z.string().startsWith('-----BEGIN PUBLIC KEY-----\n') }),
  ownWords,
});

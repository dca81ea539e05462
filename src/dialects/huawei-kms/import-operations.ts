import { z } from 'zod';
import { DeleteKeyMaterial } from '../../keys/delete-key-material.command.js';
import { ImportKeyMaterial } from '../../keys/import-key-material.command.js';
import { GetImportParameters } from '../../keys/import-parameters.command.js';
import type { WrappingAlgorithm } from '../../unit-agent/protocol.js';
import { base64, body, KeyId, optionalInteger } from './fields.js';
import { AnsweredId, KeyIdBody, Nothing } from './key.schemas.js';
import { operation } from './operation.js';

const ALGORITHMS = [
  'RSAES_PKCS1_V1_5',
  'RSAES_OAEP_SHA_1',
  'RSAES_OAEP_SHA_256',
] as const satisfies readonly WrappingAlgorithm[];
/** The last second that a Date can hold, in epoch seconds. */
const LAST_SECOND = 8_640_000_000_000;

export const IMPORT_PARAMETERS = operation({
  route: 'POST get-parameters-for-import',
  request: GetImportParameters,
  body: body({ key_id: KeyId, wrapping_algorithm: z.enum(ALGORITHMS, 'KMS.0308') }),
  answer: z.strictObject({
    key_id: AnsweredId,
    import_token: z.string().regex(/^[0-9a-zA-Z+/=]{200,6144}$/),
    expiration_time: z.int(),
    public_key: z.base64(),
  }),
});

/** The lengths are the vendor's: of an RSA-2048 block, and of a token or private key. Looked at after the key itself. */
export const Material = z.object({
  import_token: base64('KMS.0308', 200, 6144),
  encrypted_key_material: base64('KMS.0308', 344, 360),
  encrypted_privatekey: z.union([z.literal('').transform(() => undefined), base64('KMS.0308', 200, 6144)]).optional(),
  expiration_time: optionalInteger('KMS.0308', 0, LAST_SECOND),
});

const Unread = z.unknown().optional();

export const IMPORT_MATERIAL = operation({
  route: 'POST import-key-material',
  request: ImportKeyMaterial,
  body: body({
    key_id: KeyId,
    import_token: z.string('KMS.0308'),
    encrypted_key_material: z.string('KMS.0308'),
    encrypted_privatekey: Unread,
    expiration_time: Unread,
  }),
  answer: Nothing,
  ownWords: { KEY_STATE: 'KMS.0310', DELETION_PENDING: 'KMS.0310' },
});

export const DELETE_MATERIAL = operation({
  route: 'POST delete-imported-key-material',
  request: DeleteKeyMaterial,
  body: KeyIdBody,
  answer: Nothing,
  ownWords: {
    KEY_STATE: 'KMS.2701',
    MATERIAL_ABSENT: 'KMS.2701',
    DELETION_PENDING: 'KMS.2701',
    KEY_ASYMMETRIC: 'KMS.2702',
  },
});

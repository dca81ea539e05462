import { z } from 'zod';
import { DeleteKeyMaterial } from '../../keys/delete-key-material.command.js';
import { ImportKeyMaterial } from '../../keys/import-key-material.command.js';
import { GetImportParameters } from '../../keys/import-parameters.command.js';
import { dateText } from './key-metadata.js';
import { operation } from './operation.js';
import { Base64, KeyId } from './parameters.js';
import { AlibabaError } from './refusals.js';

const MOST_MATERIAL = 4_096;

/** Seconds since 1970; 0: never. */
const ExpireUnix = z
  .string()
  .regex(/^-?[0-9]{1,11}$/, 'seconds since 1970, or 0')
  .transform((text) => (Number(text) === 0 ? null : new Date(Number(text) * 1000)))
  .default(null);

/** Base64 that is none cannot be a token of ours. */
const ImportToken = z.string().transform((text) => {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw new AlibabaError('InvalidImportToken');
  return bytes;
});

export const GET_PARAMETERS = operation({
  name: 'GetParametersForImport',
  request: GetImportParameters,
  parameters: z.object({
    KeyId,
    WrappingKeySpec: z.enum(['RSA_2048'], 'RSA_2048'),
    WrappingAlgorithm: z.enum(
      ['RSAES_PKCS1_V1_5', 'RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'],
      'RSAES_PKCS1_V1_5, RSAES_OAEP_SHA_1 or RSAES_OAEP_SHA_256',
    ),
  }),
  async serve({ by, given, ask, at }) {
    const made = await ask(new GetImportParameters(by, at(given.KeyId), { algorithm: given.WrappingAlgorithm }));
    return {
      KeyId: given.KeyId,
      PublicKey: made.publicKey.toString('base64'),
      ImportToken: made.importToken.toString('base64'),
      TokenExpireTime: dateText(made.expiresAt),
    };
  },
});

export const IMPORT_MATERIAL = operation({
  name: 'ImportKeyMaterial',
  request: ImportKeyMaterial,
  parameters: z.object({
    KeyId,
    EncryptedKeyMaterial: Base64(MOST_MATERIAL),
    ImportToken,
    KeyMaterialExpireUnix: ExpireUnix,
  }),
  refusals: { DELETION_PENDING: 'Rejected.StateModifiedFailed', KEY_STATE: 'Rejected.StateModifiedFailed' },
  async serve({ by, given, ask, at }) {
    await ask(
      new ImportKeyMaterial(by, at(given.KeyId), {
        importToken: given.ImportToken,
        encryptedKeyMaterial: given.EncryptedKeyMaterial,
        expiresAt: given.KeyMaterialExpireUnix,
        onlyPending: false,
      }),
    );
    return {};
  },
});

export const DELETE_MATERIAL = operation({
  name: 'DeleteKeyMaterial',
  request: DeleteKeyMaterial,
  parameters: z.object({ KeyId }),
  async serve({ by, given, ask, at }) {
    await ask(new DeleteKeyMaterial(by, at(given.KeyId)));
    return {};
  },
});

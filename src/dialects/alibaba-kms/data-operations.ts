import { z } from 'zod';
import type { SealedData } from '../../keys/data-context.js';
import { DecryptData, ReencryptData } from '../../keys/decrypt-data.command.js';
import { EncryptData, GenerateDataKey } from '../../keys/encrypt-data.command.js';
import { blobText, CiphertextBlob } from './blob.js';
import { type Asked, operation } from './operation.js';
import { Base64, EncryptionContext, Int, KeyOrAlias } from './parameters.js';

/** Bound into every ciphertext. */
const DIALECT = 'alibaba-kms';
const MOST_PLAINTEXT = 6_144;
const BYTES = { AES_256: 32, AES_128: 16 } as const;

const DataKeyParameters = z.object({
  KeyId: KeyOrAlias,
  KeySpec: z.enum(['AES_256', 'AES_128'], 'AES_256 or AES_128').default('AES_256'),
  NumberOfBytes: Int(1, 1_024).optional(),
  EncryptionContext,
});

function answerOf(made: SealedData): object {
  return { KeyId: made.keyId, KeyVersionId: made.versionId, CiphertextBlob: blobText(made) };
}

export const ENCRYPT = operation({
  name: 'Encrypt',
  request: EncryptData,
  parameters: z.object({ KeyId: KeyOrAlias, Plaintext: Base64(MOST_PLAINTEXT), EncryptionContext }),
  dryRun: true,
  async serve({ by, given, ask, at }) {
    const input = { plaintext: given.Plaintext, dialect: DIALECT, context: given.EncryptionContext };
    return answerOf(await ask(new EncryptData(by, at(given.KeyId), input)));
  },
});

export const DECRYPT = operation({
  name: 'Decrypt',
  request: DecryptData,
  parameters: z.object({ CiphertextBlob, EncryptionContext }),
  dryRun: true,
  async serve({ by, given, ask, at }) {
    const { keyId, versionId, sealed } = given.CiphertextBlob;
    const input = { sealed, versionId, dialect: DIALECT, context: given.EncryptionContext };
    const { plaintext } = await ask(new DecryptData(by, at(keyId), input));
    return { KeyId: keyId, KeyVersionId: versionId, Plaintext: textOf(plaintext) };
  },
});

export const GENERATE_DATA_KEY = operation({
  name: 'GenerateDataKey',
  request: GenerateDataKey,
  parameters: DataKeyParameters,
  dryRun: true,
  async serve(asked) {
    const made = await generated(asked, false);
    return { ...answerOf(made), Plaintext: textOf(made.plaintext) };
  },
});

export const GENERATE_DATA_KEY_WITHOUT_PLAINTEXT = operation({
  name: 'GenerateDataKeyWithoutPlaintext',
  request: GenerateDataKey,
  parameters: DataKeyParameters,
  dryRun: true,
  serve: async (asked) => answerOf(await generated(asked, true)),
});

export const RE_ENCRYPT = operation({
  name: 'ReEncrypt',
  request: ReencryptData,
  parameters: z.object({
    CiphertextBlob,
    SourceEncryptionContext: EncryptionContext,
    DestinationKeyId: KeyOrAlias,
    DestinationEncryptionContext: EncryptionContext,
  }),
  dryRun: true,
  async serve({ by, given, ask, at }) {
    const { keyId, versionId, sealed } = given.CiphertextBlob;
    const from = { target: at(keyId), sealed, versionId, context: given.SourceEncryptionContext };
    const to = { target: at(given.DestinationKeyId), context: given.DestinationEncryptionContext };
    return answerOf(await ask(new ReencryptData(by, from, to, DIALECT)));
  },
});

function generated({ by, given, ask, at }: Asked<z.output<typeof DataKeyParameters>>, withoutPlaintext: boolean) {
  const bytes = given.NumberOfBytes ?? BYTES[given.KeySpec];
  const input = { bytes, dialect: DIALECT, context: given.EncryptionContext, withoutPlaintext };
  return ask(new GenerateDataKey(by, at(given.KeyId), input));
}

/** Base64 of a plaintext, whose bytes are wiped. */
function textOf(plaintext: Buffer): string {
  const text = plaintext.toString('base64');
  plaintext.fill(0);
  return text;
}

import { z } from 'zod';
import { DecryptData } from '../../keys/decrypt-data.command.js';
import { EncryptData, GenerateDataKey } from '../../keys/encrypt-data.command.js';
import { Random } from '../../keys/random.query.js';
import * as s from './data.schemas.js';
import { body, integer } from './fields.js';
import { operation } from './operation.js';

const MOST_RANDOM_BITS = 8192;

export const ENCRYPT = operation({
  route: 'POST encrypt-data',
  request: EncryptData,
  body: s.EncryptBody,
  answer: s.Encrypted,
});

export const DECRYPT = operation({
  route: 'POST decrypt-data',
  request: DecryptData,
  body: s.DecryptBody,
  answer: s.Decrypted,
});

export const CREATE_DATA_KEY = operation({
  route: 'POST create-datakey',
  request: GenerateDataKey,
  body: s.DataKeyBody,
  answer: s.NewDataKey,
});

export const CREATE_DATA_KEY_WITHOUT_PLAINTEXT = operation({
  route: 'POST create-datakey-without-plaintext',
  request: GenerateDataKey,
  body: s.DataKeyBody,
  answer: s.SealedDataKey,
});

export const ENCRYPT_DATA_KEY = operation({
  route: 'POST encrypt-datakey',
  request: EncryptData,
  body: s.EncryptDataKeyBody,
  answer: s.EncryptedDataKey,
});

export const DECRYPT_DATA_KEY = operation({
  route: 'POST decrypt-datakey',
  request: DecryptData,
  body: s.DecryptDataKeyBody,
  answer: s.DecryptedDataKey,
});

export const RANDOM = operation({
  route: 'POST gen-random',
  request: Random,
  body: body({
    random_data_length: integer('KMS.1801', 8, MOST_RANDOM_BITS).refine((bits) => bits % 8 === 0, 'KMS.1802'),
  }),
  answer: z.strictObject({ random_data: z.string().regex(/^([0-9A-F]{2})+$/) }),
});

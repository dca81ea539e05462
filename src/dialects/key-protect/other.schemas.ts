import { z } from 'zod';
import { ALIAS_TYPE, DateText, Listed, REGISTRATION_TYPE, RING_TYPE } from './wire.js';

const Version = z.strictObject({ id: z.uuid(), creationDate: DateText });

export const AliasCollection = Listed(
  ALIAS_TYPE,
  z.strictObject({ keyId: z.uuid(), alias: z.string(), creationDate: DateText, createdBy: z.string() }),
);
export const RingCollection = Listed(
  RING_TYPE,
  z.strictObject({ id: z.string(), creationDate: DateText.optional(), createdBy: z.string().optional() }),
);
export const RegistrationCollection = Listed(
  REGISTRATION_TYPE,
  z.strictObject({
    keyId: z.uuid(),
    keyName: z.string().optional(),
    resourceCrn: z.string(),
    createdBy: z.string(),
    creationDate: DateText,
    updatedBy: z.string(),
    lastUpdated: DateText,
    description: z.string().optional(),
    preventKeyDeletion: z.boolean(),
    keyVersion: Version,
  }),
);

const least = 300;
const most = 86_400;
const expiration = `an integer between ${least} and ${most} (inclusive)`;
const retrievals = 'an integer between 1 and 500 (inclusive)';
export const ImportTokenBody = z
  .strictObject({
    expiration: z.int(expiration).min(least, expiration).max(most, expiration).optional(),
    maxAllowedRetrievals: z.int(retrievals).min(1, retrievals).max(500, retrievals).optional(),
  })
  .optional();
export const ImportToken = z.strictObject({
  creationDate: DateText,
  expirationDate: DateText,
  maxAllowedRetrievals: z.int().min(1),
  remainingRetrievals: z.int().min(0),
});
export const RetrievedToken = ImportToken.extend({ payload: z.base64(), nonce: z.base64().length(16) });

import { z } from 'zod';

/** What `kp` needs of the resources of IBM Key Protect's API v2; members it does not know pass through to -o json. */
export const Key = z.looseObject({
  id: z.string(),
  name: z.string().optional(),
  description: z.string().nullish(),
  aliases: z.array(z.string()).nullish(),
  state: z.number().optional(),
  extractable: z.boolean().optional(),
  imported: z.boolean().nullish(),
  keyRingID: z.string().nullish(),
  crn: z.string().nullish(),
  creationDate: z.string().nullish(),
  expirationDate: z.string().nullish(),
  lastRotateDate: z.string().nullish(),
  keyVersion: z.looseObject({ id: z.string() }).nullish(),
  deletionDate: z.string().nullish(),
  restoreExpirationDate: z.string().nullish(),
  purgeAllowedFrom: z.string().nullish(),
});
export type Key = z.infer<typeof Key>;

const Author = { createdBy: z.string().nullish(), creationDate: z.string().nullish(), updatedBy: z.string().nullish() };
export const KeyPolicy = z.looseObject({
  ...Author,
  lastUpdateDate: z.string().nullish(),
  rotation: z.looseObject({ enabled: z.boolean().optional(), interval_month: z.number().optional() }).nullish(),
  dualAuthDelete: z.looseObject({ enabled: z.boolean() }).nullish(),
});
export type KeyPolicy = z.infer<typeof KeyPolicy>;

export const InstancePolicy = z.looseObject({
  ...Author,
  lastUpdated: z.string().nullish(),
  policy_type: z.string(),
  policy_data: z.looseObject({ enabled: z.boolean(), attributes: z.record(z.string(), z.unknown()).nullish() }),
});
export type InstancePolicy = z.infer<typeof InstancePolicy>;

export const KeyRing = z.looseObject({
  id: z.string(),
  creationDate: z.string().nullish(),
  createdBy: z.string().nullish(),
});
export const Alias = z.looseObject({ keyId: z.string(), alias: z.string() });
export const Registration = z.looseObject({
  keyId: z.string(),
  resourceCrn: z.string(),
  creationDate: z.string().nullish(),
  preventKeyDeletion: z.boolean().nullish(),
});
export const Version = z.looseObject({ id: z.string(), creationDate: z.string().nullish() });
const Total = z.looseObject({ totalCount: z.number().optional() });
export const Versions = z.looseObject({ metadata: Total.optional(), resources: z.array(Version).default([]) });

export const Used = z.looseObject({ plaintext: z.string().optional(), ciphertext: z.string().optional() });
export const Wrapped = Used.required({ ciphertext: true });
export const Unwrapped = Used.required({ plaintext: true });

const Limits = {
  creationDate: z.string(),
  expirationDate: z.string(),
  maxAllowedRetrievals: z.number(),
  remainingRetrievals: z.number(),
};
export const ImportToken = z.looseObject(Limits);
export const RetrievedToken = z.looseObject({ ...Limits, payload: z.string(), nonce: z.string() });

/** The resources of a collection; IBM leaves an empty list out. */
export const listOf = <T extends z.ZodType>(one: T) => z.looseObject({ resources: z.array(one).default([]) });
/** A collection with exactly what was asked for in it. */
export const oneOf = <T extends z.ZodType>(one: T) => z.looseObject({ resources: z.tuple([one]) });

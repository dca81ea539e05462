import { z } from 'zod';

/** What `kp` needs of each answer of the server; members it does not know pass through to -o json. */
const Condition = z.looseObject({
  type: z.string(),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string().nullish(),
  message: z.string().nullish(),
});
export const Unit = z.looseObject({
  id: z.string(),
  instanceId: z.string(),
  state: z.string(),
  zone: z.string().nullish(),
  conditions: z.array(Condition).optional(),
  /** As the server knows them; what a unit signed itself counts for more. */
  threshold: z.number().nullish(),
  admins: z.array(z.looseObject({ name: z.string(), kid: z.string(), notAfter: z.string().nullish() })).nullish(),
});
export type Unit = z.infer<typeof Unit>;

export const Instance = z.looseObject({
  id: z.string(),
  name: z.string(),
  state: z.string(),
  crypto_units: z.array(Unit),
  extensions: z.looseObject({ endpoints: z.looseObject({ public: z.string() }).optional() }).optional(),
});
export type Instance = z.infer<typeof Instance>;

const Refusal = z.looseObject({ code: z.string(), message: z.string() });
export const Operation = z.looseObject({
  id: z.string(),
  op: z.string(),
  instanceId: z.string(),
  units: z.array(
    z.looseObject({
      id: z.string(),
      outcome: z.enum(['pending', 'ok', 'failed']),
      receipt: z.string().nullish(),
      error: Refusal.nullish(),
    }),
  ),
});
export type Operation = z.infer<typeof Operation>;

const ReceiptKey = z.object({ spki: z.string(), fingerprint: z.string() });
export const Facts = z.looseObject({
  facts: z.looseObject({
    token: z.looseObject({ serial: z.string().nullable(), problem: Refusal.nullable() }),
    receiptKey: ReceiptKey.nullable(),
    zeroized: z.looseObject({ epoch: z.string(), serial: z.string(), receipt: z.string() }).nullable(),
  }),
  receipt: z.string().nullable(),
});
export const CryptoUser = z.looseObject({ user_name: z.string(), public_key: z.string(), fingerprint: z.string() });
export const AuditLines = z.looseObject({
  lines: z.array(
    z.looseObject({
      seq: z.union([z.number(), z.string()]),
      at: z.string(),
      act: z.string(),
      outcome: z.string(),
      by: z.string(),
      unitId: z.string().nullish(),
      target: z.string().nullish(),
    }),
  ),
});
export const ErrorBody = z.looseObject({
  resources: z
    .array(
      z.looseObject({
        errorMsg: z.string().optional(),
        reasons: z.array(z.looseObject({ code: z.string().optional(), message: z.string().optional() })).optional(),
      }),
    )
    .min(1),
});

/** A role that holds in one part only. */
const Grant = z.looseObject({
  role: z.string(),
  instanceId: z.string().nullish(),
  keyRingId: z.string().nullish(),
  keyId: z.string().nullish(),
});
export type Grant = z.infer<typeof Grant>;
export const ApiKey = z.looseObject({
  id: z.string(),
  name: z.string(),
  roles: z.array(z.string()).default([]),
  scopes: z.array(Grant).default([]),
  createdAt: z.string(),
  expiresAt: z.string().nullish(),
  revokedAt: z.string().nullish(),
});
export type ApiKey = z.infer<typeof ApiKey>;
export const MadeApiKey = ApiKey.extend({ apiKey: z.string() });

export const AccessKey = z.looseObject({
  accessKeyId: z.string(),
  dialect: z.string(),
  instanceId: z.string(),
  projectId: z.string().optional(),
  name: z.string(),
  roles: z.array(z.string()).default([]),
  scopes: z.array(Grant).default([]),
  createdAt: z.string(),
  expiresAt: z.string().nullish(),
  revokedAt: z.string().nullish(),
});
export type AccessKey = z.infer<typeof AccessKey>;
export const MadeAccessKey = AccessKey.extend({ accessKeySecret: z.string() });

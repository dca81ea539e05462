import { z } from 'zod';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MOST_MS = 3_650 * DAY;
const SOON_MS = 7 * DAY;

const ms = (otherwise: number, description: string, most = MOST_MS) =>
  z.coerce.number().int().min(1).max(most).default(otherwise).describe(description);
const count = (otherwise: number, description: string) =>
  z.coerce.number().int().min(0).max(100_000_000).default(otherwise).describe(description);

/** Every timer of the key model, in milliseconds, with IBM's value as the default. Tests shorten them; nobody else should. */
export const TIMERS = {
  KEYSTEAD_TIMER_ENABLE_MS: ms(30 * SECOND, 'How long after it was disabled a key can be enabled'),
  KEYSTEAD_TIMER_RESTORE_MS: ms(30 * SECOND, 'How long after it was deleted a key can be restored'),
  KEYSTEAD_TIMER_RESTORE_WINDOW_MS: ms(30 * DAY, 'How long a deleted key can be restored'),
  KEYSTEAD_TIMER_PURGE_MS: ms(4 * HOUR, 'How long after it was deleted a key can be purged'),
  KEYSTEAD_TIMER_AUTO_PURGE_MS: ms(90 * DAY, 'How long after it was deleted a key is purged by the server'),
  KEYSTEAD_TIMER_SYNC_MS: ms(HOUR, 'How long after its last act a key can be synchronised'),
  KEYSTEAD_TIMER_ROTATE_MS: ms(HOUR, 'How long after a rotation a key can be rotated again'),
  KEYSTEAD_TIMER_ROTATION_MONTH_MS: ms(30 * DAY, 'How long one month of a rotation policy is'),
  KEYSTEAD_TIMER_AUTHORIZATION_MS: ms(7 * DAY, 'How long the first authorisation to delete a key holds'),
  KEYSTEAD_TIMER_IMPORT_SECOND_MS: ms(SECOND, 'How long one second of the expiration of an import token is', HOUR),
  KEYSTEAD_TIMER_IMPORT_PARAMETERS_MS: ms(DAY, 'How long import parameters of an external key hold', SOON_MS),
  KEYSTEAD_TIMER_DELETION_DAY_MS: ms(DAY, 'How long one day until a scheduled deletion is', DAY),
  KEYSTEAD_TIMER_ROTATION_DAY_MS: ms(DAY, 'How long one day of a rotation policy is', DAY),
  KEYSTEAD_TIMER_TOKEN_MS: ms(HOUR, 'How long an access token of /identity/token holds', SOON_MS),
  KEYSTEAD_TIMER_KEYSTONE_TOKEN_MS: ms(DAY, 'How long a token of /v3/auth/tokens holds', SOON_MS),
  KEYSTEAD_TIMER_DUE_KEYS_MS: ms(MINUTE, 'How often keys are expired, rotated and purged that are due', SOON_MS),
  KEYSTEAD_TIMER_INTEGRITY_MS: ms(
    10 * SECOND,
    'How often all stored rows are checked; after a long check, 5 times as long',
    SOON_MS,
  ),
  KEYSTEAD_TIMER_AUDIT_CHECKPOINT_MS: ms(MINUTE, 'How often the units sign how far the audit log has come', SOON_MS),
  KEYSTEAD_TIMER_FAILED_ATTEMPT_MS: ms(6 * SECOND, 'How soon one more failed authentication is allowed', SOON_MS),
} as const;

/** How much there may be of something. */
export const LIMITS = {
  KEYSTEAD_LIMIT_KEYS: count(500, 'Keys an instance may have, in any state until they are purged; 0: any number'),
  KEYSTEAD_LIMIT_KEY_RINGS: count(50, 'Key rings an instance may have besides default; 0: any number'),
  KEYSTEAD_LIMIT_ALIASES: count(1_000, 'Aliases an instance may have; 0: any number'),
  KEYSTEAD_LIMIT_FAILED_ATTEMPTS: count(
    100,
    'Failed authentications in a row from one address, and a tenth of it with one credential; 0: any number',
  ),
  KEYSTEAD_IMPORT_PAIR_POOL: z.coerce
    .number()
    .int()
    .min(0)
    .max(16)
    .default(5)
    .describe('RSA pairs kept ready for each instance: so many for import tokens, as many for import parameters'),
} as const;

/** In milliseconds. */
export interface Timers {
  readonly enable: number;
  readonly restore: number;
  readonly restoreWindow: number;
  readonly purge: number;
  readonly autoPurge: number;
  readonly sync: number;
  readonly rotate: number;
  readonly rotationMonth: number;
  readonly authorization: number;
  readonly importSecond: number;
  readonly importParameters: number;
  readonly deletionDay: number;
  readonly rotationDay: number;
  readonly token: number;
  readonly keystoneToken: number;
  readonly dueKeys: number;
  readonly integrity: number;
  readonly auditCheckpoint: number;
  readonly failedAttempt: number;
}

/** 0: without limit, but for `importPairPool`. */
export interface Limits {
  readonly keys: number;
  readonly keyRings: number;
  readonly aliases: number;
  readonly failedAttempts: number;
  readonly importPairPool: number;
}

type Values<T extends Record<string, z.ZodType>> = { [K in keyof T]: z.output<T[K]> };

export function timersOf(e: Values<typeof TIMERS>): Timers {
  return Object.freeze({
    enable: e.KEYSTEAD_TIMER_ENABLE_MS,
    restore: e.KEYSTEAD_TIMER_RESTORE_MS,
    restoreWindow: e.KEYSTEAD_TIMER_RESTORE_WINDOW_MS,
    purge: e.KEYSTEAD_TIMER_PURGE_MS,
    autoPurge: e.KEYSTEAD_TIMER_AUTO_PURGE_MS,
    sync: e.KEYSTEAD_TIMER_SYNC_MS,
    rotate: e.KEYSTEAD_TIMER_ROTATE_MS,
    rotationMonth: e.KEYSTEAD_TIMER_ROTATION_MONTH_MS,
    authorization: e.KEYSTEAD_TIMER_AUTHORIZATION_MS,
    importSecond: e.KEYSTEAD_TIMER_IMPORT_SECOND_MS,
    importParameters: e.KEYSTEAD_TIMER_IMPORT_PARAMETERS_MS,
    deletionDay: e.KEYSTEAD_TIMER_DELETION_DAY_MS,
    rotationDay: e.KEYSTEAD_TIMER_ROTATION_DAY_MS,
    token: e.KEYSTEAD_TIMER_TOKEN_MS,
    keystoneToken: e.KEYSTEAD_TIMER_KEYSTONE_TOKEN_MS,
    dueKeys: e.KEYSTEAD_TIMER_DUE_KEYS_MS,
    integrity: e.KEYSTEAD_TIMER_INTEGRITY_MS,
    auditCheckpoint: e.KEYSTEAD_TIMER_AUDIT_CHECKPOINT_MS,
    failedAttempt: e.KEYSTEAD_TIMER_FAILED_ATTEMPT_MS,
  });
}

export function limitsOf(e: Values<typeof LIMITS>): Limits {
  return Object.freeze({
    keys: e.KEYSTEAD_LIMIT_KEYS,
    keyRings: e.KEYSTEAD_LIMIT_KEY_RINGS,
    aliases: e.KEYSTEAD_LIMIT_ALIASES,
    failedAttempts: e.KEYSTEAD_LIMIT_FAILED_ATTEMPTS,
    importPairPool: e.KEYSTEAD_IMPORT_PAIR_POOL,
  });
}

import { needs } from '../shared/errors.js';
import type { SignedOp } from '../shared/unit-state.js';
import { readArgs } from './command-args.js';

/** How long a command may live where one administrator signs alone. */
export const LIFETIME_MS = 10 * 60_000;
/** How long it may live where several must sign, each on a machine of their own. */
export const COSIGNED_LIFETIME_MS = 24 * 60 * 60_000;

/** What the rules of signing need to know of a unit: how many must sign, and how many could. */
export interface Quorum {
  readonly threshold: number;
  readonly admins: readonly unknown[];
}
interface Signable {
  readonly op: SignedOp;
  readonly args: unknown;
}

/**
 * How many administrators must sign the command for a unit. A new threshold takes the signatures of the larger of both,
 * as far as there are administrators: a larger one is refused by the op itself, in words.
 */
export function signaturesNeeded({ op, args }: Signable, { threshold, admins }: Quorum): number {
  if (op !== 'threshold.set') return threshold;
  return Math.max(threshold, Math.min(readArgs(op, args).threshold, admins.length));
}

/** Throws THRESHOLD_INVALID when fewer administrators are enrolled than would have to sign. */
export function assertThreshold(threshold: number, { admins }: Pick<Quorum, 'admins'>): void {
  needs(
    threshold <= admins.length,
    'THRESHOLD_INVALID',
    `${threshold} administrators cannot be asked to sign where ${admins.length} are enrolled; add others first: 'kp crypto-unit user add --type admin'`,
  );
}

/** How long a command may live on a unit where so many must sign, in milliseconds. */
export function lifetimeFor(threshold: number): number {
  return threshold > 1 ? COSIGNED_LIFETIME_MS : LIFETIME_MS;
}

/** Throws COMMAND_MALFORMED when the command lives longer than the unit's threshold allows. */
export function assertLifetime(
  { issuedAt, expiresAt }: { readonly issuedAt: string; readonly expiresAt: string },
  threshold: number,
): void {
  needs(
    Date.parse(expiresAt) - Date.parse(issuedAt) <= lifetimeFor(threshold),
    'COMMAND_MALFORMED',
    'the command lives for more than 10 minutes, which only a unit allows where several administrators must sign; make it again',
  );
}

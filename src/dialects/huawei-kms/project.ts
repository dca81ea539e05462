import { sha256 } from '../../shared/bytes.js';

/** The region of the catalog. The vendor's clients want one; there is only this server. */
export const REGION = 'eu-de';
const ID_DIGITS = 32;
const ACCESS_KEY_ID = /^[A-Z0-9]{20}$/;
const USER_ID = /^[0-9a-f]{32}$/;
const BASE = 36n;

/** The account that owns the project: 32 hex digits. */
export function domainIdOf(instanceId: string): string {
  return sha256(`keystead/huawei/domain ${instanceId}`).toString('hex').slice(0, ID_DIGITS);
}

/**
 * The user that an access key stands for: 32 hex digits, from which its id can be had back. What is no access key of this
 * dialect is its own user id.
 */
export function userIdOf(callerId: string): string {
  if (!ACCESS_KEY_ID.test(callerId)) return callerId;
  const number = [...`1${callerId}`].reduce((sum, digit) => sum * BASE + BigInt(Number.parseInt(digit, 36)), 0n);
  return number.toString(16).padStart(ID_DIGITS, '0');
}

/** The caller that a user id stands for. */
export function callerIdOf(userId: string): string {
  if (!USER_ID.test(userId)) return userId;
  const [first, ...digits] = BigInt(`0x${userId}`).toString(36).toUpperCase();
  const id = digits.join('');
  return first === '1' && ACCESS_KEY_ID.test(id) ? id : userId;
}

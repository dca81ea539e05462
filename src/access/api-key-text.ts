import { randomBytes } from 'node:crypto';
import { sha256 } from '../shared/bytes.js';

/** `kp_` and 32 random bytes in base64url: 46 characters. */
const KEY = /^kp_[A-Za-z0-9_-]{43}$/;

export function makeApiKey(): string {
  return `kp_${randomBytes(32).toString('base64url')}`;
}

export function isApiKey(text: string): boolean {
  return KEY.test(text);
}

/** What the database holds of a key: SHA-256, 32 bytes. */
export function hashOfApiKey(key: string): Buffer {
  return sha256(key);
}

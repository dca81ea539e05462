import { randomInt } from 'node:crypto';
import type { AccessKeyDialect } from './access-key.js';

const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const DIGITS = '0123456789';
const ALPHANUMERIC = UPPER + UPPER.toLowerCase() + DIGITS;

/** How ids and secrets of each dialect look: its clients and their tools know them so. */
const TEXTS = {
  alibaba: { prefix: 'LTAI', id: [20, ALPHANUMERIC], secret: [30, ALPHANUMERIC] },
  huawei: { prefix: '', id: [20, UPPER + DIGITS], secret: [40, ALPHANUMERIC] },
} as const satisfies Record<AccessKeyDialect, Shape>;

interface Shape {
  readonly prefix: string;
  readonly id: readonly [characters: number, alphabet: string];
  readonly secret: readonly [characters: number, alphabet: string];
}

/** A new id and its secret: 30 characters of 62 are 178 bits. */
export function newAccessKeyText(dialect: AccessKeyDialect): { id: string; secret: string } {
  const { prefix, id, secret }: Shape = TEXTS[dialect];
  return { id: prefix + drawn(...id), secret: drawn(...secret) };
}

/** Whether a text could be the id of an access key of the dialect. */
export function isAccessKeyId(text: string, dialect: AccessKeyDialect): boolean {
  const { prefix, id }: Shape = TEXTS[dialect];
  const [characters, alphabet] = id;
  const rest = text.slice(prefix.length);
  return text.startsWith(prefix) && rest.length === characters && [...rest].every((one) => alphabet.includes(one));
}

function drawn(characters: number, alphabet: string): string {
  return Array.from({ length: characters }, () => alphabet[randomInt(alphabet.length)]).join('');
}

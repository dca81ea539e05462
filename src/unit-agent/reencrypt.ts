import { readFields, STORED_FIELDS, storedRow } from './fields.js';
import { assertUsable } from './key-row.js';
import { givenMac } from './row-ops.js';
import type { Serving } from './serving.js';

/**
 * Brings a ciphertext from one key under another, or under another version of its key: to an active one, or within a key
 * that is deactivated, which still keeps what it has.
 */
export function reencrypt(serving: Serving, body: Buffer): Buffer {
  const { token, wrapId, instance } = serving;
  const fields = readFields(body, 2 * STORED_FIELDS + 3);
  const [from, to] = [storedRow(fields), storedRow(fields.slice(STORED_FIELDS + 2))];
  const [aad, sealed] = fields.slice(STORED_FIELDS) as [Buffer, Buffer];
  assertUsable('decrypt', from.row, givenMac(serving, from), instance);
  const isWithin = from.row.key === to.row.key;
  assertUsable(isWithin ? 'encrypt its own anew' : 'encrypt', to.row, givenMac(serving, to), instance);
  const plaintext = token.decrypt(wrapId, from.blob, sealed, aad);
  try {
    return token.encrypt(wrapId, to.blob, plaintext, fields.at(-1) as Buffer);
  } finally {
    plaintext.fill(0);
  }
}

import type { ImportPairBits } from '../pkcs11/mechanisms.js';
import { lengthPrefixed } from '../shared/bytes.js';
import { KeysteadError, needs } from '../shared/errors.js';
import { ROW_FIELDS, readFields, rowOf, STORED_FIELDS, storedRow } from './fields.js';
import { assertUsable } from './key-row.js';
import type { KeyRowFields, SealedKey } from './protocol.js';
import { aesOf, assertNew, givenMac, macOf } from './row-ops.js';
import type { Ready, Serving } from './serving.js';

const PAIR_BITS: Readonly<Record<string, ImportPairBits>> = { 'RSA-2048': 2048, 'RSA-3072': 3072, 'RSA-4096': 4096 };
const KW_OVERHEAD_BYTES = 8;
const SEALED_FIELDS = 5;

/** Makes a pair on another thread; the public half, the wrapped private half, and the MAC of the row. */
export async function generateImportPair(ready: Ready, body: Buffer): Promise<Buffer> {
  const row = rowOf(readFields(body, ROW_FIELDS));
  const first = ready();
  assertNew(row, first);
  const pair = await first.token.generateImportPair(pairBits(row));
  try {
    const serving = ready();
    const blob = pair.wrapUnder(serving.wrapId);
    return lengthPrefixed([pair.publicKey, blob, macOf(serving, row, blob)]);
  } finally {
    pair.destroy();
  }
}

export function importPairPublicKey(serving: Serving, body: Buffer): Buffer {
  return serving.token.importPairPublicKey(serving.wrapId, genuinePair(serving, readFields(body, STORED_FIELDS)));
}

/**
 * Takes in a key that was encrypted to a pair. One answer for everything that a client can do wrong, after the same work
 * (key-import.ts); the MAC over a key that is refused belongs to that work.
 */
export async function importWithPair(ready: Ready, body: Buffer): Promise<Buffer> {
  const fields = readFields(body, STORED_FIELDS + SEALED_FIELDS + ROW_FIELDS);
  const sealed = sealedOf(fields.slice(STORED_FIELDS));
  const row = rowOf(fields.slice(STORED_FIELDS + SEALED_FIELDS));
  const first = ready();
  assertNew(row, first);
  const pairBlob = genuinePair(first, fields);
  const { blob, valid } = await first.token.importWithPair(first.wrapId, pairBlob, sealed);
  const serving = ready();
  const algorithm = aesOf(blob.length - KW_OVERHEAD_BYTES) ?? '';
  const mac = macOf(serving, { ...row, algorithm }, blob);
  needs(valid && serving.wrapId.equals(first.wrapId), 'IMPORT_INVALID', REFUSED);
  return lengthPrefixed([algorithm, blob, mac]);
}

const REFUSED =
  'the key does not open with this import token, or its encrypted nonce is not the nonce of the token; ' +
  'get the token again and encrypt both with it';

function pairBits({ algorithm }: KeyRowFields): ImportPairBits {
  const bits = Object.hasOwn(PAIR_BITS, algorithm) ? PAIR_BITS[algorithm] : undefined;
  if (bits !== undefined) return bits;
  throw new KeysteadError('BAD_REQUEST', `an import pair is ${Object.keys(PAIR_BITS).join(', ')}, not ${algorithm}`);
}

/** The blob of the pair in the first fields, when its row is genuine and active. */
export function genuinePair(serving: Serving, fields: readonly Buffer[]): Buffer {
  const stored = storedRow(fields);
  assertUsable('import keys', stored.row, givenMac(serving, stored), serving.instance);
  pairBits(stored.row);
  return stored.blob;
}

function sealedOf(fields: readonly Buffer[]): SealedKey {
  const [oaepName, wrappedKey, encryptedNonce, iv, nonce] = fields as [Buffer, Buffer, Buffer, Buffer, Buffer];
  const oaep = oaepName.toString('utf8');
  if (oaep !== 'SHA-256' && oaep !== 'SHA-1') throw new KeysteadError('BAD_REQUEST', `OAEP with ${oaep} is not known`);
  return { oaep, wrappedKey, encryptedNonce, iv, nonce };
}

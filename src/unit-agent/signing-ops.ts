import { isPrivateKeyAlgorithm, type PrivateKeyBlob } from '../pkcs11/external-keys.js';
import { KeysteadError } from '../shared/errors.js';
import { readFields, STORED_FIELDS, storedRow } from './fields.js';
import { assertUsable, type KeyUse } from './key-row.js';
import { givenMac } from './row-ops.js';
import type { Ready, Serving } from './serving.js';

/** Signs in the token, on another thread. */
export async function sign(ready: Ready, body: Buffer): Promise<Buffer> {
  const fields = readFields(body, STORED_FIELDS + 2);
  const [algorithm, digest] = fields.slice(STORED_FIELDS) as [Buffer, Buffer];
  const first = ready();
  const key = privateKey('sign', first, fields);
  const signature = await first.token.external.sign(first.wrapId, key, algorithm.toString('utf8'), digest);
  ready();
  return signature;
}

/** One byte: 1 when the signature is of this key and digest, 0 when it is not. */
export function verify(serving: Serving, body: Buffer): Buffer {
  const fields = readFields(body, STORED_FIELDS + 3);
  const [algorithm, digest, signature] = fields.slice(STORED_FIELDS) as [Buffer, Buffer, Buffer];
  const key = privateKey('verify', serving, fields);
  const { token, wrapId } = serving;
  return Buffer.of(token.external.verify(wrapId, key, algorithm.toString('utf8'), digest, signature) ? 1 : 0);
}

/** SPKI DER, out of the blob that the row MAC covers. */
export function publicKey(serving: Serving, body: Buffer): Buffer {
  return privateKey('give its public key', serving, readFields(body, STORED_FIELDS)).publicKey;
}

/** The key of the stored row, when that is genuine and its state allows the use. */
function privateKey(use: KeyUse, serving: Serving, fields: readonly Buffer[]): PrivateKeyBlob {
  const stored = storedRow(fields);
  const { row, blob } = stored;
  assertUsable(use, row, givenMac(serving, stored), serving.instance);
  const { algorithm } = row;
  if (!isPrivateKeyAlgorithm(algorithm)) {
    throw new KeysteadError('BAD_REQUEST', `a key that is ${algorithm} cannot ${use}; take an RSA or EC key`);
  }
  return { algorithm, ...halves(blob) };
}

function halves(blob: Buffer): Pick<PrivateKeyBlob, 'publicKey' | 'wrapped'> {
  try {
    const [publicKey, wrapped] = readFields(blob, 2) as [Buffer, Buffer];
    return { publicKey, wrapped };
  } catch (cause) {
    throw new KeysteadError('KEY_ROW_INVALID', 'the row is not of a private key; it is of an import pair', { cause });
  }
}

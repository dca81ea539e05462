import type { ImportedMaterial, ImportedPrivateKey, MaterialRefusal } from '../pkcs11/external-keys.js';
import { isPrivateKeyAlgorithm } from '../pkcs11/external-keys.js';
import { WRAPPING_ALGORITHMS } from '../pkcs11/sealed-key.js';
import { lengthPrefixed } from '../shared/bytes.js';
import { KeysteadError, needs } from '../shared/errors.js';
import { NEXT_FIELDS, nextRow, ROW_FIELDS, readFields, rowOf, STORED_FIELDS, storedRow } from './fields.js';
import { genuinePair } from './import-ops.js';
import { assertChangeable, assertNotEarlier, assertUsable } from './key-row.js';
import type { KeyRowFields, NextRow, SealedMaterial, StoredRow } from './protocol.js';
import { givenMac, macOf } from './row-ops.js';
import type { Ready, Serving } from './serving.js';

const NO_BLOB = Buffer.alloc(0);
const SEALED_FIELDS = 3;
const MATERIAL_STATES: readonly string[] = ['active', 'suspended'];

/** The MAC of the row of a key whose material is still to come. */
export function newExternalRow(serving: Serving, body: Buffer): Buffer {
  const row = rowOf(readFields(body, ROW_FIELDS));
  needs(row.instance === serving.instance, 'KEY_ROW_INVALID', `this unit is of instance ${serving.instance}`);
  needs(row.state === 'pre-activation', 'KEY_STATE', `a key without material is pre-activation, not ${row.state}`);
  assertExternal(row);
  return macOf(serving, row, NO_BLOB);
}

/**
 * Takes in the material of an external key. The MACs over what is refused belong to the work that is the same for all
 * that does not open (material-import.ts).
 */
export async function importMaterial(ready: Ready, body: Buffer): Promise<Buffer> {
  const fields = readFields(body, 2 * STORED_FIELDS + SEALED_FIELDS + NEXT_FIELDS);
  const sealed = sealedOf(fields.slice(STORED_FIELDS));
  const stored = storedRow(fields.slice(STORED_FIELDS + SEALED_FIELDS));
  const next = nextRow(fields.slice(-NEXT_FIELDS));
  const first = ready();
  assertTakesMaterial(first, stored, next);
  const imported = await openMaterial(first, genuinePair(first, fields), stored.row, sealed);
  const serving = ready();
  assertTakesMaterial(serving, stored, next);
  needs(serving.wrapId.equals(first.wrapId), 'UNIT_FAULT', 'the master key changed during the import; import again');
  const { blob, publicKey, refusal } = imported;
  const binding = bindingOf(serving, stored.row, publicKey ?? blob);
  const kept = publicKey ? lengthPrefixed([publicKey, blob]) : blob;
  const mac = macOf(serving, { ...stored.row, ...next }, kept);
  if (refusal) throw new KeysteadError(refusal, REFUSED[refusal]);
  return lengthPrefixed([kept, mac, binding, publicKey ?? NO_BLOB]);
}

const REFUSED: Record<MaterialRefusal, string> = {
  IMPORT_INVALID:
    'the key material does not open; get the import parameters again and encrypt it to their key, by their algorithm',
  MATERIAL_LENGTH: 'the key material of an AES-256 key has 32 bytes',
  TEMPORARY_KEY_LENGTH: 'the temporary AES key that wraps a private key has 16 or 32 bytes',
  PRIVATE_KEY_INVALID:
    'the private key is not PKCS#8 of the algorithm of this key, wrapped by AES-KWP (RFC 5649) under the temporary key',
};

/** The MAC of a row that lost its material. */
export function dropMaterial(serving: Serving, body: Buffer): Buffer {
  const fields = readFields(body, STORED_FIELDS + NEXT_FIELDS);
  const stored = storedRow(fields);
  const next = nextRow(fields.slice(STORED_FIELDS));
  const mac = givenMac(serving, stored);
  assertUsable('lose its material', stored.row, mac, serving.instance);
  assertExternal(stored.row);
  assertNotEarlier(stored.row, next);
  needs(next.state === 'pre-activation', 'KEY_STATE', `a key without material is pre-activation, not ${next.state}`);
  return macOf(serving, { ...stored.row, ...next }, NO_BLOB);
}

function assertTakesMaterial(serving: Serving, stored: StoredRow, next: NextRow): void {
  const { state } = next;
  const mac = givenMac(serving, stored);
  assertUsable('take material', stored.row, mac, serving.instance);
  assertChangeable(stored.row, next, mac, serving.instance);
  needs(MATERIAL_STATES.includes(state), 'KEY_STATE', `a key with new material is active or suspended, not ${state}`);
  assertExternal(stored.row);
}

async function openMaterial(
  { token, wrapId }: Serving,
  pairBlob: Buffer,
  { algorithm }: KeyRowFields,
  sealed: SealedMaterial,
): Promise<ImportedMaterial & Partial<Pick<ImportedPrivateKey, 'publicKey'>>> {
  const isPrivate = isPrivateKeyAlgorithm(algorithm);
  const complete = isPrivate === (sealed.privateKey !== undefined);
  needs(complete, 'BAD_REQUEST', `${algorithm}: a private key comes beside its temporary key, an AES key alone`);
  return isPrivate
    ? token.external.importPrivateKey(wrapId, pairBlob, algorithm, sealed)
    : token.external.importKey(wrapId, pairBlob, sealed);
}

/** The same for the same material of the same key: AES-KW has one blob for a key, a private key has one public half. */
function bindingOf({ token, macId }: Serving, { instance, key }: KeyRowFields, material: Buffer): Buffer {
  return token.hmac(macId, lengthPrefixed(['keystead/material/v1', instance, key, material]));
}

function assertExternal({ algorithm }: KeyRowFields): void {
  const known = algorithm === 'AES-256' || isPrivateKeyAlgorithm(algorithm);
  needs(known, 'BAD_REQUEST', `external keys are AES-256, RSA-2048 to RSA-4096, EC-P256 and EC-P384, not ${algorithm}`);
}

function sealedOf(fields: readonly Buffer[]): SealedMaterial {
  const [name, wrappedKey, privateKey] = fields as [Buffer, Buffer, Buffer];
  const algorithm = WRAPPING_ALGORITHMS.find((known) => known === name.toString('utf8'));
  if (!algorithm) throw new KeysteadError('BAD_REQUEST', `material is wrapped by ${WRAPPING_ALGORITHMS.join(', ')}`);
  return { algorithm, wrappedKey, ...(privateKey.length > 0 && { privateKey }) };
}

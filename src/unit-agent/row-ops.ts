import { lengthPrefixed } from '../shared/bytes.js';
import { KeysteadError, needs } from '../shared/errors.js';
import { NEXT_FIELDS, nextRow, ROW_FIELDS, readFields, readGroups, rowOf, STORED_FIELDS, storedRow } from './fields.js';
import { assertChangeable, assertHasMaterial, isGenuine, rowBytes } from './key-row.js';
import type { KeyRowFields, StoredRow } from './protocol.js';
import type { Serving } from './serving.js';

/** One frame holds the agent's only thread for this many HMACs at most: about 5 ms. */
const MOST_ROWS = 500;

/** A new key is active and of the unit's instance: KEY_STATE, KEY_ROW_INVALID. */
export function assertNew(row: KeyRowFields, { instance }: Serving): void {
  needs(row.instance === instance, 'KEY_ROW_INVALID', `this unit is of instance ${instance}`);
  needs(row.state === 'active', 'KEY_STATE', `a new key is active, not ${row.state}`);
}

/** The row MAC, computed now in the token: 32 bytes. */
export function macOf({ token, macId }: Serving, row: KeyRowFields, blob: Buffer): Buffer {
  return token.hmac(macId, rowBytes(row, blob));
}

/** The MAC that a stored row came with, and the one that it should have. */
export function givenMac(serving: Serving, { row, blob, mac }: StoredRow): { given: Buffer; computed: Buffer } {
  return { given: mac, computed: macOf(serving, row, blob) };
}

/** Wraps the client's key material and wipes it in the frame it came in. */
export function importRootKey(serving: Serving, body: Buffer): Buffer {
  const fields = readFields(body, ROW_FIELDS + 1);
  const material = fields[ROW_FIELDS] as Buffer;
  try {
    const row = rowOf(fields);
    assertNew(row, serving);
    assertMaterial(row, material);
    const blob = serving.token.importRootKey(serving.wrapId, material);
    return lengthPrefixed([blob, macOf(serving, row, blob)]);
  } finally {
    material.fill(0);
  }
}

const ALGORITHMS = { 16: 'AES-128', 24: 'AES-192', 32: 'AES-256' } as const;

/** The algorithm of an AES key of this many bytes; undefined when there is none. */
export function aesOf(bytes: number): string | undefined {
  return Object.hasOwn(ALGORITHMS, bytes) ? ALGORITHMS[bytes as keyof typeof ALGORITHMS] : undefined;
}

function assertMaterial(row: KeyRowFields, material: Buffer): void {
  const algorithm = aesOf(material.length);
  if (!algorithm)
    throw new KeysteadError('FIELD_INVALID', `key material has 16, 24 or 32 bytes, not ${material.length}`);
  needs(
    material.some((byte) => byte !== material[0]),
    'FIELD_INVALID',
    'this key material is one byte over and over; take random bytes',
  );
  needs(algorithm === row.algorithm, 'BAD_REQUEST', `${material.length} bytes are ${algorithm}, not ${row.algorithm}`);
}

/** The MACs of the rows as they become; all of them, or the error of the first that cannot. */
export function changeRows(serving: Serving, body: Buffer): Buffer {
  const next = readGroups(body, STORED_FIELDS + NEXT_FIELDS, MOST_ROWS).map((fields) => {
    const stored = storedRow(fields);
    const changed = { ...stored.row, ...nextRow(fields.slice(STORED_FIELDS)) };
    assertChangeable(stored.row, changed, givenMac(serving, stored), serving.instance);
    assertHasMaterial(changed, stored.blob);
    return { row: changed, blob: stored.blob };
  });
  return lengthPrefixed(next.map(({ row, blob }) => macOf(serving, row, blob)));
}

/** One byte per row: 1 when it is as Keystead wrote it, 0 when it was changed. */
export function checkRows(serving: Serving, body: Buffer): Buffer {
  const rows = readGroups(body, STORED_FIELDS, MOST_ROWS).map((fields) => {
    const stored = storedRow(fields);
    return isGenuine(stored.row, givenMac(serving, stored), serving.instance) ? 1 : 0;
  });
  return Buffer.from(rows);
}

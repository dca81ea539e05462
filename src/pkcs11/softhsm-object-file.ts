/**
 * The object files of SoftHSM 2 (file back end): generation (8 bytes), then attributes in the order of their types, each type
 * (8), kind (8) and value. All numbers are big-endian. Read only to see whether a file was cut short: on a full disk
 * SoftHSM 2.6.1 answers OK and leaves as much of the file as had room.
 */
const NUMBER_BYTES = 8;
const CKA_DESTROYABLE = 0x172n;

/** Size of a value by kind: fixed, or counted units after an 8-byte count. */
const KIND: ReadonlyMap<bigint, { fixed: number } | { unit: number }> = new Map([
  [1n, { fixed: 1 }], // boolean
  [2n, { fixed: NUMBER_BYTES }], // number
  [3n, { unit: 1 }], // bytes
  [4n, { unit: 1 }], // attributes within
  [5n, { unit: NUMBER_BYTES }], // set of mechanisms
]);

/**
 * Whether an object file is complete: it ends with an attribute, and CKA_DESTROYABLE, which every object has and few
 * attributes follow, is there. A kind we do not know is no proof of harm: true.
 */
export function isWholeObject(file: Buffer): boolean {
  let at = NUMBER_BYTES;
  let complete = false;
  while (at < file.length) {
    if (at + 2 * NUMBER_BYTES > file.length) return false;
    const type = file.readBigUInt64BE(at);
    const kind = KIND.get(file.readBigUInt64BE(at + NUMBER_BYTES));
    if (!kind) return true;
    at += 2 * NUMBER_BYTES;
    if ('fixed' in kind) at += kind.fixed;
    else if (at + NUMBER_BYTES > file.length) return false;
    else at += NUMBER_BYTES + Number(file.readBigUInt64BE(at)) * kind.unit;
    complete ||= type === CKA_DESTROYABLE;
  }
  return complete && at === file.length;
}

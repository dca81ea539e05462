import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { KeysteadError, messageOf, needs } from '../shared/errors.js';
import { MAX_JSON_BYTES } from '../shared/strict-json.js';
import { type Keyshare, readKeyshare } from './keyshare-file.js';

/** The share in a file, still encrypted. A fifo or device is refused, not waited for. Throws FILE_INVALID or KEYSHARE_INVALID. */
export function readShareFile(file: string): Keyshare {
  return readKeyshare(bytesOf(file), file);
}

function bytesOf(file: string): Buffer {
  const fd = openForReading(file);
  try {
    const stats = fstatSync(fd);
    needs(stats.isFile(), 'FILE_INVALID', `${file} is not a file; give a key share file`);
    needs(stats.size <= MAX_JSON_BYTES, 'KEYSHARE_INVALID', `${file} is not a usable key share: it is too long`);
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

function openForReading(file: string): number {
  try {
    return openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw new KeysteadError('FILE_INVALID', `cannot read ${file}: ${messageOf(cause)}`, { cause });
  }
}

import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import type { UnitToken } from '../pkcs11/unit-token.js';
import type { UnitDir } from './unit-dir.js';

/** A stored record as found, whatever is in it. */
export interface StoredRecord {
  /** What `remove` takes: the CKA_ID of the data object, hex, or the number in the file's name. */
  readonly name: string;
  readonly bytes: Buffer;
}

/** Where the records of a unit are. A record that `add` returned for is on disk. */
export interface RecordStore {
  all(): StoredRecord[];
  add(bytes: Buffer): string;
  remove(name: string): void;
}

export const RECORD_LABEL = 'keystead-unit-record';

/** Private data objects on the token. */
export function recordsOnToken(token: UnitToken): RecordStore {
  return {
    all: () => token.readData(RECORD_LABEL).map(({ id, value }) => ({ name: id.toString('hex'), bytes: value })),
    add: (bytes) => {
      const id = randomBytes(16);
      token.createData(RECORD_LABEL, id, bytes);
      return id.toString('hex');
    },
    remove: (name) => {
      token.destroy(Buffer.from(name, 'hex'));
    },
  };
}

const RECORD_FILE = /^record\.([0-9a-f]{32})$/;

/** Files beside the unit, for a token without CKO_DATA; still HMACed in the token. */
export function recordsInFiles(dir: UnitDir): RecordStore {
  return {
    all: () =>
      readdirSync(dir.path).flatMap((file) => {
        const name = RECORD_FILE.exec(file)?.[1];
        return name === undefined ? [] : [{ name, bytes: dir.read(file) ?? Buffer.alloc(0) }];
      }),
    add: (bytes) => {
      const name = randomBytes(16).toString('hex');
      dir.write(`record.${name}`, bytes);
      return name;
    },
    remove: (name) => dir.remove(`record.${name}`),
  };
}

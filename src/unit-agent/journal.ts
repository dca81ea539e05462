import type { TokenObject, UnitToken } from '../pkcs11/unit-token.js';
import { KeysteadError, messageOf } from '../shared/errors.js';
import type { AgentLog } from './agent-log.js';
import { RECORD_LABEL, type RecordStore, recordsInFiles, recordsOnToken, type StoredRecord } from './record-store.js';
import type { UnitDir } from './unit-dir.js';
import { encodeRecord, namedObjects, readRecord, type UnitRecord } from './unit-record.js';

export const ADMIN_CERTIFICATE_LABEL = 'keystead-admin';
const OUR_LABELS: readonly string[] = [
  RECORD_LABEL,
  ADMIN_CERTIFICATE_LABEL,
  'unit-mac',
  'receipt-key',
  'mk-wrap',
  'mk-mac',
];

/**
 * Whether an object is ours to destroy. On a token that we made all are; on a prepared one those with our labels, and
 * with an id, because a torn object that has none cannot be told from somebody else's.
 */
export function isOurs(dir: UnitDir, { id, label }: TokenObject): boolean {
  return dir.config.provider === 'softhsm' || (id.length > 0 && OUR_LABELS.includes(label));
}

/**
 * The records of one open token, and the commit protocol:
 * intent (plan, counter) → act, new objects under new ids → new record → destroy what the record no longer names.
 * The newest record whose HMAC verifies is the truth. One that does not verify is never used and never deleted.
 * The mark beside the token follows each commit: without a record as new as the mark, the record is lost, and the
 * unit serves nobody until the token is put back or zeroized on the host.
 */
export class Journal {
  readonly #store: RecordStore;
  #record: UnitRecord | undefined;
  /** Names of the records kept, newest first. */
  #kept: string[] = [];
  /** Names of records whose HMAC fails. */
  #forged: string[] = [];
  #problem: KeysteadError | undefined;
  #lost = false;

  constructor(
    private readonly dir: UnitDir,
    private readonly token: UnitToken,
    private readonly log: AgentLog,
  ) {
    this.#store = dir.config.recordStore === 'file' ? recordsInFiles(dir) : recordsOnToken(token);
    this.reload();
  }

  /** The truth; undefined for a unit that nobody claimed. Throws why no record may be used. */
  record(): UnitRecord | undefined {
    if (this.#problem) throw this.#problem;
    return this.#record;
  }

  /** Why no record may be used. */
  get problem(): KeysteadError | undefined {
    return this.#problem;
  }

  /** The record holds an intent without a result. */
  get unsettled(): boolean {
    return !this.#problem && this.#record?.plans.some(({ receipt }) => receipt === null) === true;
  }

  /** A claim was finished here once, and its record, or a newer one, is not there any more. */
  get lost(): boolean {
    return this.#lost;
  }

  /** Whether the record that is believed still is on the token. */
  holds(): boolean {
    if (this.#problem || !this.#record) return true; // there is nothing that is believed
    const [newest] = this.#kept;
    try {
      return this.#store.all().some(({ name }) => name === newest);
    } catch (cause) {
      this.log.warn({ event: 'record-not-read', message: messageOf(cause) });
      return false;
    }
  }

  /** Reads what is stored now. Throws TOKEN_LOST when the token does not answer. */
  reload(): void {
    const mark = this.dir.mark();
    const { valid, forged } = this.#readAll();
    const newest = valid[0];
    this.#forged = forged.map(({ name }) => name);
    this.#kept = valid.slice(0, 2).map(({ name }) => name);
    this.#record = newest?.record;
    const rolledBack = mark && (newest?.record.epoch !== mark.epoch || newest.record.seq < mark.seq);
    this.#lost = rolledBack === true;
    this.#problem = undefined;
    if (rolledBack) {
      const what = newest ? 'an old unit record is on the token and the newest is gone' : 'the unit record is gone';
      const way = `put the token back as it was, or run 'keystead agent zeroize --unit ${this.dir.id}' on this host`;
      this.#problem = new KeysteadError('TOKEN_LOST', `${what}: ${way}`);
    } else if (forged.some(({ seq }) => seq > (newest?.record.seq ?? 0))) {
      this.#problem = new KeysteadError('UNIT_FAULT', 'a unit record on the token fails its HMAC; somebody changed it');
    }
    if (newest && !this.#problem && !mark) this.#setMark(newest.record); // the claim was killed before it wrote the mark
  }

  /**
   * Writes the next record and makes it the truth. When it returns, record and mark are on disk. When it throws, either
   * record may be the truth: the caller reloads.
   */
  commit(next: Omit<UnitRecord, 'seq'>): UnitRecord {
    const record: UnitRecord = { ...next, seq: (this.#record?.seq ?? 0) + 1 };
    const name = this.#store.add(encodeRecord(record, this.#hmac));
    this.#record = record;
    this.#setMark(record);
    this.#kept = [name, ...this.#kept].slice(0, 2);
    return record;
  }

  /**
   * Destroys what the truth does not name: torn objects, objects of acts that were cut off or failed, records older than
   * two. Without a record only what an unfinished claim can have left: never where there may be a master key.
   * A module that is sick may show an object without its id, or not at all. Each object is read once, so while all that
   * the truth names is in the same inventory, nothing of it can be among the others; otherwise nothing is destroyed.
   */
  sweep(): void {
    if (this.#problem || this.dir.has('zeroize.json')) return;
    const present = this.token.inventory();
    if (!this.#record && present.some(({ label }) => label.startsWith('mk-'))) {
      const message = 'the token holds a master key and no unit record; it is not touched, look at where it came from';
      this.#problem = new KeysteadError('UNIT_FAULT', message);
      return;
    }
    const records = [...this.#kept, ...this.#forged];
    const inFiles = this.dir.config.recordStore === 'file';
    const named = new Set([...(this.#record ? namedObjects(this.#record) : []), ...(inFiles ? [] : records)]);
    const seen = new Set(present.map(nameOf));
    const missing = [...named].filter((name) => !seen.has(name));
    if (missing.length > 0) {
      this.log.warn({ event: 'not-swept', missing });
      return;
    }
    const unnamed = present.filter((object) => !named.has(nameOf(object)) && isOurs(this.dir, object));
    if (unnamed.length > 0) {
      this.token.destroyObjects(unnamed);
      this.log.info({ event: 'swept', ids: unnamed.map(nameOf) });
    }
    if (inFiles) for (const { name } of this.#store.all()) if (!records.includes(name)) this.#store.remove(name);
  }

  /** Removes every record: a zeroize is under way. A torn one on the token may have no name; it goes with the other objects. */
  forgetAll(): void {
    for (const { name } of this.#store.all()) if (name !== '') this.#store.remove(name);
    this.#record = undefined;
  }

  #setMark({ serial, epoch, seq }: UnitRecord): void {
    this.dir.setMark({ v: 1, serial, epoch, seq });
  }

  readonly #hmac = (unitMac: Buffer, data: Buffer): Buffer => this.token.hmac(unitMac, data);

  #readAll(): { valid: { name: string; record: UnitRecord }[]; forged: { name: string; seq: number }[] } {
    const valid: { name: string; record: UnitRecord }[] = [];
    const forged: { name: string; seq: number }[] = [];
    for (const stored of this.#store.all()) {
      const read = this.#readOne(stored);
      if (!read) continue;
      const { name } = stored;
      if (read.genuine && read.record.unit === this.dir.id && read.record.serial === this.token.serial) {
        valid.push({ name, record: read.record });
      } else forged.push({ name, seq: read.record.seq });
    }
    valid.sort((a, b) => b.record.seq - a.record.seq);
    return { valid, forged };
  }

  /** Undefined for one that is not whole: a commit that was cut off. */
  #readOne({ name, bytes }: StoredRecord): { record: UnitRecord; genuine: boolean } | undefined {
    try {
      const { record, verifies } = readRecord(bytes);
      return { record, genuine: this.#verifies(verifies) };
    } catch (cause) {
      if (cause instanceof KeysteadError && cause.code === 'TOKEN_LOST') throw cause;
      this.log.warn({ event: 'torn-record', name, message: messageOf(cause) });
      return undefined;
    }
  }

  /** False also when the unit-mac that the record names is not on the token. */
  #verifies(verifies: (hmac: (unitMac: Buffer, data: Buffer) => Buffer) => boolean): boolean {
    try {
      return verifies(this.#hmac);
    } catch (cause) {
      if (cause instanceof KeysteadError && cause.code === 'UNIT_FAULT') return false;
      throw cause;
    }
  }
}

function nameOf({ id }: TokenObject): string {
  return id.toString('hex');
}

import { coveredBytes, linkHash } from '../audit/audit-chain.js';
import type { AuditRecord } from '../audit/audit-record.js';
import { End, Header, recordOf, Signed, type StoredLine, textOf } from '../audit/export-format.js';
import { sha256 } from '../shared/bytes.js';
import { KeysteadError, messageOf, needs } from '../shared/errors.js';
import { linesOf } from '../shared/lines-of.js';
import { readCheckpoint } from '../unit-agent/checkpoint.js';

const HASH_BYTES = 32;

/** A checkpoint of the file, whose signature verifies under the key beside it. */
export interface FoundCheckpoint {
  readonly unitId: string;
  /** SHA-256 of the unit's receipt key, hex. Whoever believes the checkpoint believes this key. */
  readonly fingerprint: string;
  readonly size: number;
  readonly root: string;
  readonly at: string;
}

/** Where an export stops being true. `seq` is the line, null when it is not about one. */
export class Tampered extends KeysteadError {
  constructor(
    readonly seq: number | null,
    message: string,
  ) {
    super('AUDIT_TAMPERED', seq === null ? message : `line ${seq} of the log: ${message}`);
  }
}

/** An export that holds together: its lines make one chain, and every checkpoint in it is on this chain. */
export class AuditFile {
  readonly checkpoints: FoundCheckpoint[] = [];
  /** Lines before the first, and lines in all. */
  from = 0;
  size = 0;
  #hashes = Buffer.alloc(0);

  /** Reads and checks a whole file. Throws Tampered; FILE_INVALID when it cannot be read. */
  static read(path: string): Promise<AuditFile> {
    return AuditFile.readLines(linesOf(path, () => new Tampered(null, 'the file is cut off in the middle of a line')));
  }

  /** The same of the lines of a file, which come in parts. */
  static async readLines(parts: AsyncIterable<string[]> | Iterable<string[]>): Promise<AuditFile> {
    const file = new AuditFile();
    const reading = new Reading(file);
    for await (const part of parts) for (const text of part) reading.next(text);
    reading.end();
    return file;
  }

  /** The hash of the last of the first `size` lines; undefined outside of the file. */
  rootAt(size: number): Buffer | undefined {
    const at = (size - this.from) * HASH_BYTES;
    return at < 0 || size > this.size ? undefined : this.#hashes.subarray(at, at + HASH_BYTES);
  }

  begin(from: number, root: Buffer): void {
    this.from = from;
    this.size = from;
    this.#hashes = Buffer.alloc(1024 * HASH_BYTES);
    root.copy(this.#hashes);
  }

  add(root: Buffer): void {
    this.size += 1;
    const at = (this.size - this.from) * HASH_BYTES;
    if (at + HASH_BYTES > this.#hashes.length) this.#hashes = Buffer.concat([this.#hashes], this.#hashes.length * 2);
    root.copy(this.#hashes, at);
  }
}

/** The order of a file: header, checkpoints, lines, end. */
class Reading {
  #part: 'header' | 'checkpoints' | 'lines' | 'end' = 'header';
  #root: Buffer = Buffer.alloc(0);

  constructor(private readonly file: AuditFile) {}

  next(text: string): void {
    if (this.#part === 'end') throw new Tampered(null, 'the file goes on after its end');
    if (this.#part === 'header') this.#header(text);
    else if (text.startsWith('{"type":"line"')) this.#line(text);
    else if (text.startsWith('{"type":"end"')) this.#end(text);
    else this.#checkpoint(text);
  }

  end(): void {
    if (this.#part !== 'end') throw new Tampered(null, 'the file is cut off: its end is missing');
    for (const { unitId, size, root } of this.file.checkpoints) {
      const here = this.file.rootAt(size);
      if (here === undefined)
        throw new Tampered(null, `unit ${unitId} signed ${size} lines, which the file does not hold`);
      if (here.toString('hex') === root) continue;
      throw new Tampered(null, `unit ${unitId} signed other ${size} lines than the first ${size} of the file`);
    }
  }

  #header(text: string): void {
    const { after } = parsed(Header, text, 'the header');
    this.#root = Buffer.from(after.root, 'hex');
    this.file.begin(after.size, this.#root);
    this.#part = 'checkpoints';
  }

  #checkpoint(text: string): void {
    if (this.#part !== 'checkpoints') throw new Tampered(this.file.size + 1, 'something else stands in its place');
    const { unitId, receiptKey, document } = parsed(Signed, text, 'a checkpoint');
    const spki = Buffer.from(receiptKey, 'base64');
    const { unit, size, root, at } = readCheckpoint(document, spki);
    if (unit !== unitId) throw new Tampered(null, `a checkpoint of unit ${unit} is shown as one of ${unitId}`);
    this.file.checkpoints.push({ unitId, fingerprint: sha256(spki).toString('hex'), size, root, at });
  }

  #line(text: string): void {
    this.#part = 'lines';
    const seq = this.file.size + 1;
    const record = recordIn(text, seq);
    if (record.seq !== String(seq)) throw new Tampered(seq, `it is missing, and line ${record.seq} is in its place`);
    const hash = linkHash(coveredBytes(record), this.#root);
    if (!hash.equals(record.hash))
      throw new Tampered(seq, 'its hash is not the one of what it says after the line before');
    this.#root = hash;
    this.file.add(hash);
  }

  #end(text: string): void {
    const { size, root, checkpoints } = parsed(End, text, 'the end');
    const whole = size === this.file.size && root === this.#root.toString('hex');
    if (!whole) throw new Tampered(null, `the file ends with line ${this.file.size} and says that it holds ${size}`);
    const all = checkpoints === this.file.checkpoints.length;
    if (!all) throw new Tampered(null, `the file holds ${this.file.checkpoints.length} checkpoints of ${checkpoints}`);
    this.#part = 'end';
  }
}

/** The line in a text that is the one text of this line. */
function recordIn(text: string, seq: number): AuditRecord {
  let record: AuditRecord;
  let again: string;
  try {
    const stored = JSON.parse(text) as StoredLine;
    const { instanceId, unitId, target, detail, correlationId = null, requestPath = null } = stored;
    const typed = [instanceId, unitId, target, detail, correlationId, requestPath].every(
      (value) => value === null || typeof value === 'string',
    );
    needs(typed, 'AUDIT_TAMPERED', 'a member is not a text');
    record = recordOf(stored);
    again = textOf(record);
  } catch (cause) {
    throw new Tampered(seq, `it cannot be read: ${messageOf(cause)}`);
  }
  if (again !== text) throw new Tampered(seq, 'it is not written as an export writes it, or its event is not its own');
  return record;
}

function parsed<T>(shape: { parse(value: unknown): T }, text: string, what: string): T {
  try {
    const value = shape.parse(JSON.parse(text));
    needs(JSON.stringify(value) === text, 'AUDIT_TAMPERED', 'it is not written as an export writes it');
    return value;
  } catch (cause) {
    const why = cause instanceof KeysteadError ? cause.message : 'it is not in its format';
    throw new Tampered(null, `${what} of the file: ${why}`);
  }
}

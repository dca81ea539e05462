import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';

const CHUNK_BYTES = 16 << 20;
const HEAD_BYTES = 3;
const LEAST_BYTES = 10;

/** Something that must not be found where it does not belong. Shorter than ten bytes would be found by chance. */
export interface Canary {
  readonly name: string;
  readonly bytes: Buffer;
}

interface Needle {
  readonly form: string;
  readonly bytes: Buffer;
}

/** Looks for secrets in every form that code may give them by mistake, in one pass over what it is given. */
export class Scanner {
  /** By their first three bytes, which the bitmap knows. */
  readonly #needles = new Map<number, Needle[]>();
  readonly #heads = new Uint8Array(1 << (8 * HEAD_BYTES));
  readonly #chunk = Buffer.alloc(CHUNK_BYTES);
  #longest = 0;
  scanned = 0;

  constructor(canaries: readonly Canary[]) {
    for (const { name, bytes } of canaries) {
      if (bytes.length < LEAST_BYTES) throw new Error(`${name} is too short to look for`);
      for (const [form, needle] of formsOf(bytes)) this.#add({ form: `${name} (${form})`, bytes: needle });
    }
  }

  /** The names and forms of what is in the bytes, each once. */
  in(bytes: Buffer): string[] {
    this.scanned += bytes.length;
    const found = new Set<string>();
    let head = 0;
    for (let at = 0; at < bytes.length; at += 1) {
      head = ((head << 8) | (bytes[at] as number)) & 0xffffff;
      if (this.#heads[head] === 0 || at < HEAD_BYTES - 1) continue;
      const from = at - HEAD_BYTES + 1;
      for (const needle of this.#needles.get(head) ?? []) {
        if (needle.bytes.equals(bytes.subarray(from, from + needle.bytes.length))) found.add(needle.form);
      }
    }
    return [...found];
  }

  inFile(path: string): string[] {
    const file = openSync(path, 'r');
    try {
      return this.#stretch(file, 0n, undefined);
    } finally {
      closeSync(file);
    }
  }

  /** Every file below the directory, links not followed; what was found, with the file. */
  below(directory: string, except: (path: string) => boolean = () => false): string[] {
    return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) return this.below(path, except);
      if (!entry.isFile() || except(path)) return [];
      return ifThere(() => this.inFile(path)).map((form) => `${path}: ${form}`);
    });
  }

  /** What the process was started with: its environment and its command line. */
  inStart(pid: number): string[] {
    return ['environ', 'cmdline'].flatMap((what) =>
      ifThere(() => this.in(readFileSync(`/proc/${pid}/${what}`))).map((form) => `${what} of ${pid}: ${form}`),
    );
  }

  /** All that the process has in memory and could have written itself. */
  inMemory(pid: number): string[] {
    let memory: number;
    try {
      memory = openSync(`/proc/${pid}/mem`, 'r');
    } catch (cause) {
      throw new Error(`the memory of ${pid} cannot be read, so nothing is known of it: run as the same user or root`, {
        cause,
      });
    }
    const found = new Set<string>();
    try {
      for (const [from, to] of writableRegions(pid))
        for (const form of this.#stretch(memory, from, to)) found.add(form);
    } finally {
      closeSync(memory);
    }
    return [...found];
  }

  /** In chunks that overlap by as much as a needle may be cut. */
  #stretch(file: number, from: bigint, to: bigint | undefined): string[] {
    const found = new Set<string>();
    const chunk = this.#chunk;
    let kept = 0;
    for (let at = from; to === undefined || at < to; ) {
      const room = chunk.length - kept;
      const wanted = to === undefined ? room : Math.min(room, Number(to - at));
      const read = readSome(file, chunk, kept, wanted, at);
      if (read === 0) break;
      for (const form of this.in(chunk.subarray(0, kept + read))) found.add(form);
      at += BigInt(read);
      const rest = Math.min(this.#longest - 1, kept + read);
      chunk.copyWithin(0, kept + read - rest, kept + read);
      kept = rest;
    }
    return [...found];
  }

  #add(needle: Needle): void {
    const head = needle.bytes.readUIntBE(0, HEAD_BYTES);
    this.#heads[head] = 1;
    this.#needles.set(head, [...(this.#needles.get(head) ?? []), needle]);
    this.#longest = Math.max(this.#longest, needle.bytes.length);
  }
}

/** The bytes, and the texts that they become in the code, its libraries and its tools. */
function formsOf(bytes: Buffer): [form: string, needle: Buffer][] {
  const hex = bytes.toString('hex');
  const reversed = Buffer.from(bytes).reverse();
  const wide = (digits: string, width: number) => digits.padStart(width, '0');
  const hex16 = [...reversed].map((byte) => wide(byte.toString(16), 4)).join('');
  const texts: [string, string][] = [
    ['hex', hex],
    ['HEX', hex.toUpperCase()],
    ['reversed hex', reversed.toString('hex')],
    ['reversed hex16', hex16],
    ['binary digits', [...bytes].map((byte) => wide(byte.toString(2), 8)).join('')],
    ['reversed binary digits of 16', [...reversed].map((byte) => wide(byte.toString(2), 16)).join('')],
    ...[0, 1, 2].flatMap((before): [string, string][] => {
      const text = base64Within(bytes, before);
      return [
        [`base64 at ${before}`, text],
        [`base64url at ${before}`, text.replaceAll('+', '-').replaceAll('/', '_')],
      ];
    }),
  ];
  return [
    ['raw', bytes],
    ['UTF-16', Buffer.from(bytes.toString('latin1'), 'utf16le')],
    ...texts.map(([form, text]): [string, Buffer] => [form, Buffer.from(text, 'latin1')]),
  ];
}

/** What all texts in base64 have in common in which the bytes come after so many others. */
function base64Within(bytes: Buffer, before: number): string {
  const text = Buffer.concat([Buffer.alloc(before), bytes])
    .toString('base64')
    .replace(/=+$/, '');
  const whole = Math.floor(((before + bytes.length) * 8) / 6);
  return text.slice(Math.ceil((before * 8) / 6), whole);
}

function writableRegions(pid: number): [from: bigint, to: bigint][] {
  const lines = readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n');
  return lines.flatMap((line): [bigint, bigint][] => {
    const [, from, to, mode = ''] = /^([0-9a-f]+)-([0-9a-f]+) (\S{4})/.exec(line) ?? [];
    return mode.startsWith('rw') ? [[BigInt(`0x${from}`), BigInt(`0x${to}`)]] : [];
  });
}

/** Bytes read; 0 at the end, and where a process has given the memory back meanwhile. */
function readSome(file: number, into: Buffer, at: number, length: number, position: bigint): number {
  try {
    return readSync(file, into, at, length, position);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EIO') return 0;
    throw cause;
  }
}

/** Files, and processes of PostgreSQL, come and go while a server runs. */
function ifThere(look: () => string[]): string[] {
  try {
    return look();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw cause;
  }
}

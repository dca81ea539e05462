import { createReadStream } from 'node:fs';
import { KeysteadError, messageOf } from './errors.js';

const CHUNK_BYTES = 1 << 18;
const NEWLINE = 0x0a;

/**
 * The lines of a file, however long it and they are, in parts and without their line breaks. Throws FILE_INVALID when it
 * cannot be read, and what `cutOff` gives when the last line has no line break.
 */
export async function* linesOf(path: string, cutOff: () => Error): AsyncGenerator<string[]> {
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
      const bytes = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]);
      const part: string[] = [];
      let start = 0;
      for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, start)) {
        part.push(bytes.toString('utf8', start, at));
        start = at + 1;
      }
      rest = bytes.subarray(start);
      yield part;
    }
  } catch (cause) {
    throw new KeysteadError('FILE_INVALID', `cannot read ${path}: ${messageOf(cause)}`, { cause });
  }
  if (rest.length > 0) throw cutOff();
}

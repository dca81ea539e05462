import { createHash } from 'node:crypto';
import { KeysteadError, needs } from '../shared/errors.js';
import { linesOf } from '../shared/lines-of.js';
import { DumpEnd, DumpHeader } from './dump-format.js';

/** A backup whose digest is right: it is as it was written. */
export interface Dump {
  readonly path: string;
  readonly header: DumpHeader;
  readonly end: DumpEnd;
}

/** Reads the whole file once. FILE_INVALID when it is not a whole backup. */
export async function readDump(path: string): Promise<Dump> {
  const digest = createHash('sha256');
  let first: string | undefined;
  let last = '';
  let lines = 0;
  for await (const line of linesIn(path)) {
    first ??= line;
    if (lines > 0) digest.update(`${last}\n`);
    last = line;
    lines += 1;
  }
  const header = shaped(DumpHeader, first ?? '', path);
  const end = shaped(DumpEnd, last, path);
  const whole = end.sha256 === digest.digest('hex') && end.rows === lines - 2;
  needs(whole, 'FILE_INVALID', `${path} is not as it was written: its digest is another one; take another backup`);
  return { path, header, end };
}

function shaped<T>(shape: { parse(value: unknown): T }, line: string, path: string): T {
  try {
    return shape.parse(JSON.parse(line));
  } catch (cause) {
    throw new KeysteadError('FILE_INVALID', `${path} is not a whole backup of Keystead`, { cause });
  }
}

export async function* linesIn(path: string): AsyncGenerator<string> {
  const cutOff = () => new KeysteadError('FILE_INVALID', `${path} is cut off in the middle of a line`);
  for await (const part of linesOf(path, cutOff)) yield* part;
}

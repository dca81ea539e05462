import { constants } from 'node:fs';
import { lstat, open, realpath, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { KeysteadError, messageOf, needs } from '../shared/errors.js';

const MAX_FILE_BYTES = 1 << 20;
const WRITABLE_BY_OTHERS = 0o022;
const STICKY = 0o1000;

const codeOf = (thrown: unknown): string | undefined => (thrown as NodeJS.ErrnoException).code;

/** The text of a regular file of at most 1 MiB. FILE_INVALID for anything else; never waits at a pipe. */
export async function readText(path: string, what: string): Promise<string> {
  return (await readBytes(path, what)).toString('utf8');
}

/** The bytes of a regular file of at most 1 MiB, as readText. */
export async function readBytes(path: string, what: string): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: unknown) => {
    const why = codeOf(cause) === 'ENOENT' ? 'there is no such file' : messageOf(cause);
    throw new KeysteadError('FILE_INVALID', `cannot read the ${what} ${path}: ${why}`, { cause });
  });
  try {
    const { size, ...info } = await file.stat();
    needs((info.mode & constants.S_IFMT) === constants.S_IFREG, 'FILE_INVALID', `the ${what} ${path} is not a file`);
    needs(size <= MAX_FILE_BYTES, 'FILE_INVALID', `the ${what} ${path} is larger than 1 MiB`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** Whether the path names something, be it a dangling link. */
export async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT' || codeOf(cause) === 'ENOTDIR') return false;
    throw cause;
  }
}

/**
 * Throws unless a secret file may be made at the path: nothing is there yet, the directory exists, nobody else can
 * write in it (a sticky one such as /tmp will do) and the path does not climb with '..'.
 */
export async function assertCreatable(path: string): Promise<void> {
  needs(path.length >= 1 && path.length <= 255, 'USAGE', 'the path of a file must have 1 to 255 characters');
  needs(!path.includes('\0'), 'USAGE', 'the path of a file cannot hold a NUL');
  needs(!path.split(sep).includes('..'), 'USAGE', `${path} climbs with '..'; write ${resolve(path)} instead`);
  const directory = dirname(resolve(path));
  const info = await stat(directory).catch((cause: unknown) => {
    throw new KeysteadError('FILE_INVALID', `the directory ${directory} does not exist; make it first`, { cause });
  });
  needs(info.isDirectory(), 'FILE_INVALID', `${directory} is not a directory`);
  const open = (info.mode & WRITABLE_BY_OTHERS) !== 0 && (info.mode & STICKY) === 0;
  needs(!open, 'FILE_INVALID', `others can write in ${directory}; run 'chmod go-w ${directory}' or choose another one`);
  needs(!(await exists(path)), 'FILE_EXISTS', `${path} exists already and is never overwritten; choose another name`);
}

/** Makes a file that only its owner can read (0600), durable when this returns. Never overwrites, never follows a link. */
export async function createPrivate(path: string, text: string): Promise<void> {
  await assertCreatable(path);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const file = await open(path, flags, 0o600).catch((cause: unknown) => {
    const code = codeOf(cause) === 'EEXIST' ? 'FILE_EXISTS' : 'FILE_INVALID';
    throw new KeysteadError(code, `cannot make ${path}: ${messageOf(cause)}`, { cause });
  });
  try {
    await file.writeFile(text);
    await file.sync();
  } catch (cause) {
    await unlink(path);
    throw new KeysteadError('FILE_INVALID', `cannot write ${path}: ${messageOf(cause)}`, { cause });
  } finally {
    await file.close();
  }
  await syncDirectory(dirname(resolve(path)));
}

/** Makes what was created or renamed in the directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Where the path really lies, its last part not followed: two spellings of one file give one answer. */
export async function placeOf(path: string): Promise<string> {
  return join(await realpath(dirname(resolve(path))), basename(path));
}

import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

/** Makes the names in a directory durable. */
export function fsyncDir(dir: string): void {
  const fd = openSync(dir, constants.O_RDONLY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Writes a 0600 file (or another mode) that is there whole, on disk, under its name, or not at all. */
export function writeDurably(path: string, data: Buffer | string, mode = 0o600): void {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  const unfinished = `${path}.new`;
  rmSync(unfinished, { force: true });
  const fd = openSync(
    unfinished,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    mode,
  );
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    fchmodSync(fd, mode);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(unfinished, path);
  fsyncDir(dirname(path));
}

/** Gives a file another name, in place of whatever had it; durable when it returns. */
export function renameDurably(from: string, to: string): void {
  renameSync(from, to);
  fsyncDir(dirname(to));
}

/** The file's content, or undefined when there is no such file. Any other failure is thrown. */
export function readIfThere(path: string): Buffer | undefined {
  return isThere(path) ? readFileSync(path) : undefined;
}

export function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Removes a file, or a directory and all in it; durable when it returns. Nothing there is fine. */
export function removeDurably(path: string): void {
  if (!isThere(path)) return;
  rmSync(path, { recursive: true, force: true });
  fsyncDir(dirname(path));
}

/**
 * Whether nobody but its reader is let in. systemd gives a service's user its credentials, which root owns, by an ACL, and
 * the mask of an ACL shows as the bits of the group.
 */
export function isClosed(path: string, { mode, uid }: { readonly mode: number; readonly uid: number }): boolean {
  return (mode & (path.startsWith('/run/credentials/') && uid === 0 ? 0o037 : 0o077)) === 0;
}

/** The content of a file that only its owner can read: regular, no link, no group or other bits. Undefined otherwise. */
export function readPrivateFile(path: string): Buffer | undefined {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isFile()) return undefined;
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    return stat.isFile() && isClosed(path, stat) ? readFileSync(fd) : undefined;
  } finally {
    closeSync(fd);
  }
}

import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { KeysteadError, messageOf } from '../shared/errors.js';

/** Every bit of others, and of the group all but x: the embedded PostgreSQL may run in a group that passes through. */
const LOOSE = 0o067;

/**
 * Makes the directory with mode 0700, or accepts one that is there: a real directory, ours, closed to everyone else.
 * Throws CONFIG_INVALID naming the variable that would choose another one. (A directory that somebody else made first,
 * in /tmp, would let them listen where our sockets should be.)
 */
export function ownDirectory(path: string, variable: string): void {
  const refuse = (why: string): never => {
    throw new KeysteadError('CONFIG_INVALID', `${path} ${why}; set ${variable} to a directory of your own`);
  };
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    refuse(`cannot be made: ${messageOf(cause)}`);
  }
  const found = lstatSync(path);
  if (!found.isDirectory()) refuse('is not a directory');
  if (found.uid !== process.getuid?.()) refuse('belongs to another user');
  if ((found.mode & LOOSE) !== 0) chmodSync(path, 0o700);
}

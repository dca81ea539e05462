import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { KeysteadError, messageOf, needs } from '../shared/errors.js';

/**
 * Files that come into being together. All are written under random names beside their places, read back by the
 * caller, and only then given their names; so a process that is killed leaves none of the names, or whole files.
 * (Killed between two names, it leaves the others beside them as .keystead-….partial: the same whole files.)
 * Nothing is ever written over, no link is followed, the mode is 0600, and files and folders are fsynced.
 */
const NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const NO_HARD_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];
const WRITABLE_BY_OTHERS = 0o022;
const STICKY = 0o1000;

interface Place {
  readonly file: string;
  readonly path: string;
  readonly temporary: string;
}

export class NewFiles {
  readonly #places: readonly Place[];
  readonly #made: { path: string; dev: number; ino: number }[] = [];

  /** Throws FILE_EXISTS or FILE_INVALID, naming the file, when one of them cannot or must not be made. */
  constructor(files: readonly string[]) {
    this.#places = files.map(placeFor);
    for (const { file, path } of this.#places) {
      const twice = this.#places.some((other) => other.path === path && other.file !== file);
      const repeated = files.filter((name) => name === file).length > 1;
      needs(!twice && !repeated, 'USAGE', `${file} is given twice; every share needs a file of its own`);
    }
  }

  /** Writes one file under its random name, 0600, to the disk. */
  write(at: number, text: string): void {
    const { file, temporary } = this.#place(at);
    attempt(file, 'write', () => {
      const fd = openSync(temporary, NEW, 0o600);
      try {
        this.#noteMade(temporary, fstatSync(fd));
        writeFileSync(fd, text);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    });
  }

  /** What the disk holds of it now. */
  read(at: number): Buffer {
    const { file, temporary } = this.#place(at);
    return attempt(file, 'read back', () => {
      const fd = openSync(temporary, constants.O_RDONLY | constants.O_NOFOLLOW);
      try {
        return readFileSync(fd);
      } finally {
        closeSync(fd);
      }
    });
  }

  /** Gives all files their names. Throws FILE_EXISTS when one appeared meanwhile; then call abandon. */
  publish(): void {
    for (const place of this.#places) attempt(place.file, 'name', () => this.#name(place));
    this.#syncFolders();
    for (const { temporary } of this.#places) if (existsSync(temporary)) unlinkSync(temporary);
    this.#syncFolders();
  }

  /** Removes what this object made, and nothing else. */
  abandon(): void {
    for (const { path, dev, ino } of this.#made.splice(0)) {
      const found = lstatSync(path, { throwIfNoEntry: false });
      if (found && found.dev === dev && found.ino === ino) unlinkSync(path);
    }
  }

  #name({ path, temporary, file }: Place): void {
    try {
      linkSync(temporary, path);
    } catch (cause) {
      assertFree(file, path);
      if (!NO_HARD_LINKS.includes(codeOf(cause))) throw cause;
      renameSync(temporary, path); // FAT and the like know no hard links
    }
    this.#noteMade(path, lstatSync(path));
  }

  #syncFolders(): void {
    for (const folder of new Set(this.#places.map(({ path }) => dirname(path)))) {
      attempt(folder, 'fsync', () => {
        const fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
        try {
          fsyncSync(fd);
        } finally {
          closeSync(fd);
        }
      });
    }
  }

  #noteMade(path: string, { dev, ino }: Stats): void {
    this.#made.push({ path, dev, ino });
  }

  #place(at: number): Place {
    const place = this.#places[at];
    needs(place, 'INTERNAL', `there is no file ${at}`);
    return place;
  }
}

function placeFor(file: string): Place {
  const wanted = resolve(file);
  const folder = dirname(wanted);
  const stats = statSync(folder, { throwIfNoEntry: false });
  if (!stats?.isDirectory()) {
    throw new KeysteadError('FILE_INVALID', `cannot make ${file}: ${folder} is not a folder; make it first`);
  }
  const open = (stats.mode & WRITABLE_BY_OTHERS) !== 0 && (stats.mode & STICKY) === 0;
  needs(
    !open,
    'FILE_INVALID',
    `cannot make ${file}: others may write to ${folder}; 'chmod go-w' it, or choose another`,
  );
  const path = join(realpathSync(folder), basename(wanted));
  assertFree(file, path);
  return { file, path, temporary: join(dirname(path), `.keystead-${randomBytes(8).toString('hex')}.partial`) };
}

function assertFree(file: string, path: string): void {
  const free = lstatSync(path, { throwIfNoEntry: false }) === undefined;
  needs(free, 'FILE_EXISTS', `${file} is there already and is never written over; choose another name or move it away`);
}

function codeOf(thrown: unknown): string {
  return typeof thrown === 'object' && thrown !== null && 'code' in thrown ? String(thrown.code) : '';
}

function attempt<T>(file: string, verb: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof KeysteadError) throw cause;
    const code = codeOf(cause) === 'EEXIST' ? 'FILE_EXISTS' : 'FILE_INVALID';
    throw new KeysteadError(code, `cannot ${verb} ${file}: ${messageOf(cause)}`, { cause });
  }
}

import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { KeysteadError, needs } from '../shared/errors.js';
import { isWholeObject } from './softhsm-object-file.js';

/**
 * The files behind a SoftHSM token: `<unit directory>/tokens/<uuid>/`, one file per object and `token.object`, which holds
 * the PIN-wrapped key of all others. SoftHSM 2.6.1 rewrites a file in place (truncate, write; no fsync, no rename), so
 *  - a full disk or a kill leaves empty or cut object files although C_CreateObject answered OK: fsyncTokens looks before
 *    a commit counts;
 *  - a kill inside C_Login leaves an empty token.object, and the whole token is gone: a copy is kept beside it and put back.
 */
const TOKENS = 'tokens';
const TOKEN_OBJECT = 'token.object';
const COPY = 'token.object.copy';

/** Where the tokens of a unit live. */
export function tokensDirectory(unitDir: string): string {
  return join(unitDir, TOKENS);
}

/** The directory of each token in the unit directory; a healthy unit has one. */
export function tokenDirectories(unitDir: string): string[] {
  const tokens = tokensDirectory(unitDir);
  if (!existsSync(tokens)) return [];
  return readdirSync(tokens, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(tokens, entry.name));
}

/**
 * Makes every object of the unit durable: files, then directories. Throws UNIT_FAULT when an object file is empty or cut
 * short, once that file is out of the way, so that the next creation is judged by its own.
 */
export function fsyncTokens(unitDir: string): void {
  for (const token of tokenDirectories(unitDir)) {
    for (const name of objectFiles(token)) {
      const file = join(token, name);
      if (setAsideIfTorn(file)) throw new KeysteadError('UNIT_FAULT', `${file} was cut short: is the disk full?`);
      fsync(file);
    }
    fsync(token);
  }
  if (existsSync(tokensDirectory(unitDir))) fsync(tokensDirectory(unitDir));
  fsync(unitDir);
}

/** Keeps a copy of token.object beside the token (0600, durable). Throws TOKEN_LOST when there is none to copy. */
export function backupTokenObject(unitDir: string): void {
  const original = join(onlyToken(unitDir), TOKEN_OBJECT);
  needs(existsSync(original) && statSync(original).size > 0, 'TOKEN_LOST', `${original} is missing or empty`);
  replaceFile(join(unitDir, COPY), readFileSync(original));
  fsync(unitDir);
}

/**
 * Before the token is opened: puts token.object back from the copy when it is empty, and takes torn object files out of the
 * way: creations that a kill cut off, which SoftHSM never cleans. True when token.object was restored.
 * Throws TOKEN_LOST when it is empty and there is no copy.
 */
export function restoreTokenObject(unitDir: string): boolean {
  const token = onlyToken(unitDir);
  for (const name of objectFiles(token)) {
    if (name !== TOKEN_OBJECT) setAsideIfTorn(join(token, name));
  }
  const original = join(token, TOKEN_OBJECT);
  if (existsSync(original) && statSync(original).size > 0) return false;
  const copy = join(unitDir, COPY);
  needs(existsSync(copy), 'TOKEN_LOST', `${original} is empty and there is no copy; replace the unit`);
  replaceFile(original, readFileSync(copy));
  fsync(token);
  return true;
}

/**
 * Removes the token and the copy of its token.object, durably. C_InitToken would keep the key that all objects are
 * wrapped with, so this, and not that, is how a SoftHSM token is wiped.
 */
export function dropTokens(unitDir: string): void {
  rmSync(join(unitDir, COPY), { force: true });
  rmSync(tokensDirectory(unitDir), { recursive: true, force: true });
  fsync(unitDir);
}

/** fsync of a file or directory by path. */
export function fsync(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Puts the bytes in place of a file so that a crash leaves either the old or the new ones (0600). */
export function replaceFile(path: string, bytes: Buffer | string): void {
  const next = `${path}.new`;
  writeFileSync(next, bytes, { mode: 0o600 });
  fsync(next);
  renameSync(next, path);
}

function onlyToken(unitDir: string): string {
  const [token, ...others] = tokenDirectories(unitDir);
  if (token === undefined) throw new KeysteadError('TOKEN_LOST', `${tokensDirectory(unitDir)} holds no token`);
  needs(others.length === 0, 'UNIT_FAULT', `${tokensDirectory(unitDir)} holds several tokens; a unit has one`);
  return token;
}

function objectFiles(token: string): string[] {
  return readdirSync(token).filter((name) => name.endsWith('.object'));
}

/** Removes an empty object file, and renames one that is cut short (people may want to look at it); true for either. */
function setAsideIfTorn(file: string): boolean {
  const bytes = readFileSync(file);
  const isToken = basename(file) === TOKEN_OBJECT;
  if (bytes.length > 0 && (isToken || isWholeObject(bytes))) return false;
  if (isToken) return true; // never touched while the token is open: the copy of it is put back at the next start
  if (bytes.length === 0) rmSync(file);
  else renameSync(file, `${file}.torn`);
  rmSync(file.replace(/\.object$/, '.lock'), { force: true });
  return true;
}

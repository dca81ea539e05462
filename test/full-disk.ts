import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const PAGE = 4096;

/** A small file system of its own, in memory, that can be filled to a few pages: a real disk, and a real ENOSPC. */
export class FullDisk {
  private constructor(readonly path: string) {}

  /** Whether this user may mount one: root may, elsewhere than in most containers. */
  static isPossible(directory: string): boolean {
    try {
      FullDisk.at(directory, 1).end();
      return true;
    } catch {
      return false;
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }

  /** Mounts one of so many MiB over that directory, which it makes. Throws when this user may not. */
  static at(directory: string, mebibytes: number): FullDisk {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=0700`, 'tmpfs', directory], { stdio: 'pipe' });
    return new FullDisk(directory);
  }

  /** From now on only so many pages of 4 KiB are free. */
  fill(pagesLeft: number): void {
    const file = openSync(join(this.path, 'ballast'), 'a', 0o600);
    try {
      const chunk = Buffer.alloc(1 << 20);
      for (let left = this.#free() - pagesLeft * PAGE; left > 0; left = this.#free() - pagesLeft * PAGE)
        writeSync(file, chunk, 0, Math.min(left, chunk.length));
    } finally {
      closeSync(file);
    }
  }

  /** There is room again. */
  empty(): void {
    rmSync(join(this.path, 'ballast'), { force: true });
  }

  /** Nothing may use it any more. */
  end(): void {
    execFileSync('umount', [this.path], { stdio: 'pipe' });
  }

  #free(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize;
  }
}

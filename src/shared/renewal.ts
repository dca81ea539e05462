import { readFile } from 'node:fs/promises';
import { sha256 } from './bytes.js';

const LOOK_EVERY_MS = 2_000;

/**
 * Calls `renew` on SIGHUP, and when the files have changed by themselves. They are written one after the other, so a
 * change counts once it was the same at two looks. Answers how to stop watching.
 */
export function watchFiles(files: readonly string[], renew: () => void): () => void {
  let known: string | undefined;
  let seen: string | undefined;
  const look = async () => {
    const now = await digestOf(files);
    known ??= now;
    if (now !== known && now === seen) {
      known = now;
      renew();
    }
    seen = now;
  };
  void look();
  const timer = setInterval(() => void look(), LOOK_EVERY_MS);
  timer.unref();
  const told = () => {
    renew();
    void digestOf(files).then((now) => {
      known = now;
    });
  };
  process.on('SIGHUP', told);
  return () => {
    clearInterval(timer);
    process.off('SIGHUP', told);
  };
}

/** What the files hold, or that one of them cannot be read now: `renew` finds out why. */
async function digestOf(files: readonly string[]): Promise<string> {
  const contents = await Promise.all(files.map((file) => readFile(file).catch(() => Buffer.alloc(0))));
  return contents.map((content) => sha256(content).toString('hex')).join();
}

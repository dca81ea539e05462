import { closeSync, constants, openSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { sha256 } from './bytes.js';

/** BSD's O_EXLOCK, which node:fs does not name: open and lock in one call. */
const O_EXLOCK = 0x20;

export interface DirectoryLock {
  release(): Promise<void>;
}

/**
 * A kernel lock on a directory for one purpose: Linux, an abstract socket named by the hash of the path; macOS, O_EXLOCK.
 * The kernel lets go of it when the process ends, however it ends. `directory` is a real path.
 * Undefined when another process holds the lock. (On Linux, of the same network namespace: containers that share a
 * volume do not see each other's locks.)
 */
export function lockDirectory(directory: string, purpose: string): Promise<DirectoryLock | undefined> {
  return process.platform === 'linux'
    ? lockByAbstractSocket(directory, purpose)
    : Promise.resolve(lockByFile(directory, purpose));
}

function lockByAbstractSocket(directory: string, purpose: string): Promise<DirectoryLock | undefined> {
  const server = createServer((socket) => socket.destroy());
  const release = () => new Promise<void>((resolve) => server.close(() => resolve()));
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code === 'EADDRINUSE') resolve(undefined);
      else reject(cause);
    });
    server.listen(`\0keystead-${purpose}-${sha256(directory).toString('hex')}`, () => {
      server.unref();
      resolve({ release });
    });
  });
}

function lockByFile(directory: string, purpose: string): DirectoryLock | undefined {
  try {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NONBLOCK | O_EXLOCK;
    const fd = openSync(join(directory, `${purpose}.lock`), flags, 0o600);
    return { release: async () => closeSync(fd) };
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EAGAIN') return undefined;
    throw cause;
  }
}

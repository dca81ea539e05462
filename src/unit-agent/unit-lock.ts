import { closeSync, constants, openSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { sha256 } from '../shared/bytes.js';

/** BSD's O_EXLOCK, which node:fs does not name: open and lock in one call. */
const O_EXLOCK = 0x20;

/**
 * The kernel's lock on a unit: one agent per token directory, because two processes that log in to one SoftHSM token
 * break each other. The kernel lets go of it when the process ends, however it ends.
 * `unitDir` is a real path. Undefined when another process holds the lock.
 */
export function lockUnit(unitDir: string): Promise<{ release(): Promise<void> } | undefined> {
  return process.platform === 'linux' ? lockByAbstractSocket(unitDir) : Promise.resolve(lockByFile(unitDir));
}

function lockByAbstractSocket(unitDir: string): Promise<{ release(): Promise<void> } | undefined> {
  const server = createServer((socket) => socket.destroy());
  const release = () => new Promise<void>((resolve) => server.close(() => resolve()));
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code === 'EADDRINUSE') resolve(undefined);
      else reject(cause);
    });
    server.listen(`\0keystead-unit-${sha256(unitDir).toString('hex')}`, () => {
      server.unref();
      resolve({ release });
    });
  });
}

function lockByFile(unitDir: string): { release(): Promise<void> } | undefined {
  try {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NONBLOCK | O_EXLOCK;
    const fd = openSync(join(unitDir, 'agent.lock'), flags, 0o600);
    return { release: async () => closeSync(fd) };
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EAGAIN') return undefined;
    throw cause;
  }
}

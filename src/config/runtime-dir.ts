import { accessSync, constants } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sha256 } from '../shared/bytes.js';
import { needs } from '../shared/errors.js';

/** Bytes a Unix socket path may have: sun_path without its final zero. Node cuts longer ones silently. */
const SOCKET_PATH_BYTES = process.platform === 'darwin' ? 103 : 107;

/** The longest socket name in the runtime directory: a unit's id and a suffix. */
const LONGEST_NAME = `/${'x'.repeat(36)}.sock`;

/** Where sockets go when nothing is said: short, of this user alone, and another one for every data directory. */
export function defaultRuntimeDir(dataDir: string): string {
  const uid = process.getuid?.() ?? 0; // a container's user need not have a name
  const hash = sha256(dataDir).toString('hex').slice(0, 8);
  const session = `/run/user/${uid}`;
  if (isWritable(session)) return join(session, `keystead-${hash}`);
  const temporary = join(tmpdir(), `keystead-${uid}-${hash}`);
  return socketsFit(temporary) ? temporary : `/tmp/keystead-${uid}-${hash}`; // macOS: its own is a long way down
}

/** Throws CONFIG_INVALID when a socket in the directory would have a path that does not fit. */
export function assertSocketsFit(runtimeDir: string): void {
  needs(
    socketsFit(runtimeDir),
    'CONFIG_INVALID',
    `the runtime directory ${runtimeDir} is too long for Unix sockets (${SOCKET_PATH_BYTES} bytes with the socket's name): set KEYSTEAD_RUNTIME_DIR to a shorter one`,
  );
}

function socketsFit(directory: string): boolean {
  return Buffer.byteLength(directory + LONGEST_NAME) <= SOCKET_PATH_BYTES;
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false; // absent or not ours: that is the answer
  }
}

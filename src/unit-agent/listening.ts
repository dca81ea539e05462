import { chmodSync, chownSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer as createSocketServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { readPrivateFile } from '../shared/durable-file.js';
import { KeysteadError, messageOf, needs } from '../shared/errors.js';
import { watchFiles } from '../shared/renewal.js';
import type { AgentLog } from './agent-log.js';

/** Longer paths are cut off silently by Node 20: the size of sun_path, less its end mark. */
const LONGEST_PATH_BYTES = 107;
const HANDSHAKE_TIMEOUT_MS = 10_000;
const MOST_CONNECTIONS = 1_024;
/** Others in the directory of a socket: nobody may enter it, and nobody but its owner may put a socket there. */
const OPEN_TO_OTHERS = 0o027;
const GROUP_MAY_ENTER = 0o010;

/** The files of an agent that listens with TLS. */
export interface AgentTls {
  readonly certFile: string;
  readonly keyFile: string;
  /** CA of the API processes that may use the admin set. */
  readonly clientCaFile: string;
}

/** Where an agent listens. `private`: beside the server that started it, for one user alone. */
export type Listening =
  | { readonly kind: 'private'; readonly path: string }
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tls'; readonly host: string; readonly port: number; readonly tls: AgentTls };

/**
 * Who is at the other end, as the transport knows it. A Unix socket lets in whom its directory lets in. With TLS, the
 * admin set is for certificates of the client CA, and the crypto set for the one certificate whose key is the KMS user's.
 */
export interface Peer {
  readonly mayAdminister: boolean;
  /** SPKI of the client certificate, base64; null where there is none to show. */
  readonly certificateKey: string | null;
}

type Meet = (socket: Socket, peer: Peer) => void;

/** Begins to listen and tells of every connection. Throws CONFIG_INVALID with what to change. */
export async function listen(where: Listening, log: AgentLog, meet: Meet): Promise<Server> {
  if (where.kind === 'tls') {
    const server = tlsServer(where.tls, log, meet);
    await bound(server, () => server.listen(where.port, where.host));
    return server;
  }
  const group = socketGroup(where);
  const anyone: Peer = { mayAdminister: true, certificateKey: null };
  const server = createSocketServer((socket) => meet(socket, anyone));
  rmSync(where.path, { force: true }); // of an agent that was killed: whoever holds the unit's lock owns this name
  await bound(server, () => server.listen(where.path));
  if (group !== undefined) giveToGroup(where.path, group);
  chmodSync(where.path, group === undefined ? 0o600 : 0o660);
  return server;
}

async function bound(server: Server, begin: () => void): Promise<void> {
  server.maxConnections = MOST_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).once('listening', resolve);
    begin();
  }).catch((cause) => {
    throw new KeysteadError('CONFIG_INVALID', `the agent cannot listen: ${messageOf(cause)}; choose another address`, {
      cause,
    });
  });
}

/** The group that may use the socket; undefined when its directory is for one user alone. */
function socketGroup({ kind, path }: Exclude<Listening, { kind: 'tls' }>): number | undefined {
  const length = Buffer.byteLength(path);
  needs(
    length <= LONGEST_PATH_BYTES,
    'CONFIG_INVALID',
    `the socket path ${path} has ${length} bytes; a Unix socket takes ${LONGEST_PATH_BYTES}: choose a shorter one`,
  );
  const directory = statSync(dirname(path), { throwIfNoEntry: false });
  needs(directory, 'CONFIG_INVALID', `the directory of the socket ${path} is not there; make it, mode 0700 or 2750`);
  const { mode, uid, gid } = directory;
  if (kind === 'private') {
    needs(
      (mode & 0o077) === 0,
      'CONFIG_INVALID',
      `the directory of the socket ${path} is open to others; make it mode 0700`,
    );
    return undefined;
  }
  needs(
    (mode & OPEN_TO_OTHERS) === 0 && uid === process.getuid?.(),
    'CONFIG_INVALID',
    `the directory of the socket ${path} must belong to the agent's user and be closed to others; make it mode 0700, or 2750 with the group of the server`,
  );
  return (mode & GROUP_MAY_ENTER) === 0 ? undefined : gid;
}

function giveToGroup(path: string, gid: number): void {
  if (statSync(path).gid === gid) return; // a set-group-id directory does it
  try {
    chownSync(path, -1, gid);
  } catch (cause) {
    throw new KeysteadError(
      'CONFIG_INVALID',
      `the socket ${path} cannot be given to the group of its directory (${messageOf(cause)}); make the directory mode 2750`,
      { cause },
    );
  }
}

function tlsServer(tls: AgentTls, log: AgentLog, meet: Meet): Server {
  const server = createTlsServer({
    ...secrets(tls),
    minVersion: 'TLSv1.3',
    requestCert: true,
    rejectUnauthorized: false, // the KMS user's certificate is no CA's: its key is on the token, see server.ts
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  });
  server.on('secureConnection', (socket: TLSSocket) => {
    const key = socket.getPeerX509Certificate()?.publicKey.export({ type: 'spki', format: 'der' });
    if (key === undefined) socket.destroy();
    else meet(socket, { mayAdminister: socket.authorized, certificateKey: key.toString('base64') });
  });
  watchFiles([tls.certFile, tls.keyFile, tls.clientCaFile], () => {
    try {
      server.setSecureContext({ ...secrets(tls), minVersion: 'TLSv1.3' });
      log.info({ event: 'tls-reloaded' });
    } catch (cause) {
      log.error({ event: 'tls-not-reloaded', message: `${messageOf(cause)}; the certificate before it stays` });
    }
  });
  return server;
}

function secrets({ certFile, keyFile, clientCaFile }: AgentTls): { cert: Buffer; key: Buffer; ca: Buffer } {
  const key = readPrivateFile(keyFile);
  needs(
    key,
    'CONFIG_INVALID',
    `the TLS key ${keyFile} must be a file that only its owner can read (mode 0400 or 0600)`,
  );
  return { cert: readFileSync(certFile), key, ca: readFileSync(clientCaFile) };
}

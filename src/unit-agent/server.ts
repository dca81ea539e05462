import type { Server, Socket } from 'node:net';
import { sha256 } from '../shared/bytes.js';
import { KeysteadError, messageOf, needs } from '../shared/errors.js';
import { AdminOps } from './admin-ops.js';
import { CryptoSession } from './crypto-ops.js';
import type { CryptoUnit } from './crypto-unit.js';
import { refusalOf } from './facts.js';
import { type Frame, FrameReader, FrameWriter } from './frames.js';
import { type Listening, listen, type Peer } from './listening.js';
import { ANSWER_OK, ANSWER_REFUSED, OPCODES, type Opcode } from './protocol.js';

const NAME_OF = new Map(Object.entries(OPCODES).map(([name, code]) => [code as number, name as Opcode]));

/** An open connection. */
interface Connection {
  readonly socket: Socket;
  readonly peer: Peer;
  readonly writer: FrameWriter;
  readonly crypto: CryptoSession;
}

/**
 * The agent's end of the unit's socket. Crypto ops are done at once, on this one thread; what changes the unit goes
 * through one queue (AdminOps). Answers go out in the order in which they are ready.
 */
export class AgentServer {
  #server: Server | undefined;
  readonly #connections = new Set<Connection>();
  readonly #admin: AdminOps;
  /** Answers that are not ready yet. */
  readonly #begun = new Set<Promise<void>>();

  private constructor(private readonly unit: CryptoUnit) {
    this.#admin = new AdminOps(unit);
    unit.closeCryptoConnections = () => this.#closeCryptoConnections();
  }

  /** Listens there. CONFIG_INVALID when the path is too long, its directory not closed, or a TLS file not usable. */
  static async listen(unit: CryptoUnit, where: Listening): Promise<AgentServer> {
    const server = new AgentServer(unit);
    server.#server = await listen(where, unit.log, (socket, peer) => server.#meet(socket, peer));
    return server;
  }

  /** Takes no more connections, finishes what was begun, then ends the open ones. */
  async drain(): Promise<void> {
    this.#server?.close();
    while (this.#begun.size > 0) await Promise.all(this.#begun);
    for (const { socket, writer } of this.#connections) {
      writer.flush();
      socket.end();
    }
  }

  #meet(socket: Socket, peer: Peer): void {
    socket.on('error', (cause) => this.unit.log.debug({ event: 'connection-error', message: cause.message }));
    if (!this.#admits(peer)) {
      this.unit.log.warn({ event: 'connection-refused', key: fingerprint(peer) });
      socket.destroy();
      return;
    }
    const crypto = new CryptoSession(this.unit, peer.certificateKey);
    const connection: Connection = { socket, peer, writer: new FrameWriter(socket), crypto };
    const reader = new FrameReader();
    this.#connections.add(connection);
    socket.on('close', () => this.#connections.delete(connection));
    socket.on('drain', () => socket.resume());
    socket.on('data', (piece: Buffer) => {
      try {
        for (const frame of reader.push(piece)) this.#answer(connection, frame);
      } catch (cause) {
        this.unit.log.warn({ event: 'bad-frame', message: messageOf(cause) });
        socket.destroy();
      }
      if (socket.writableNeedDrain) socket.pause(); // a peer that does not read does not get to ask
      this.unit.recycleIfDue();
    });
  }

  /** A certificate that the client CA did not sign gets in when its key is the enrolled KMS user's. */
  #admits({ mayAdminister, certificateKey }: Peer): boolean {
    if (mayAdminister) return true;
    try {
      return certificateKey !== null && certificateKey === this.unit.record()?.kmsUser?.spki;
    } catch {
      return false; // the token cannot be read now, so it cannot serve either: come back later
    }
  }

  #answer(connection: Connection, frame: Frame): void {
    const { id } = frame;
    const send = (code: number, body: Buffer) => {
      if (!connection.socket.destroyed) connection.writer.write(id, code, [body]);
    };
    const refuse = (cause: unknown) => send(ANSWER_REFUSED, Buffer.from(JSON.stringify(this.#refusal(cause))));
    try {
      const answer = this.#run(connection, frame);
      if (Buffer.isBuffer(answer)) send(ANSWER_OK, answer);
      else this.#remember(answer.then((body) => send(ANSWER_OK, body), refuse));
    } catch (cause) {
      refuse(cause);
    }
  }

  /** Remembers an answer that is not ready yet. */
  #remember(answered: Promise<void>): void {
    this.#begun.add(answered);
    void answered.then(() => this.#begun.delete(answered));
  }

  #run({ crypto, peer }: Connection, { code, body }: Frame): Buffer | Promise<Buffer> {
    const op = NAME_OF.get(code);
    switch (op) {
      case 'challenge':
        return crypto.challenge();
      case 'prove':
        return crypto.prove(body);
      case 'random':
      case 'generateRootKey':
      case 'encrypt':
      case 'decrypt':
      case 'importRootKey':
      case 'changeRows':
      case 'checkRows':
      case 'generateImportPair':
      case 'importPairPublicKey':
      case 'importWithPair':
      case 'newExternalRow':
      case 'importMaterial':
      case 'dropMaterial':
      case 'reencrypt':
      case 'sign':
      case 'verify':
      case 'publicKey':
      case 'signCheckpoint':
      case 'followLog':
        return crypto[op](body);
      case undefined:
        throw new KeysteadError('BAD_REQUEST', `there is no op ${code}`);
      default:
        needs(peer.mayAdminister, 'FORBIDDEN', 'this certificate opens the crypto set alone; use one of the client CA');
        return this.#admin.run(op, body);
    }
  }

  #refusal(cause: unknown): { code: string; message: string } {
    const refusal = refusalOf(cause);
    if (refusal.code === 'UNIT_FAULT' || refusal.code === 'TOKEN_LOST') this.unit.keeper.suspect();
    return refusal;
  }

  #closeCryptoConnections(): void {
    for (const { socket, crypto } of this.#connections) if (crypto.proved) socket.destroy();
  }
}

/** The kid of the certificate's key, for whoever looks for it in a log. */
function fingerprint({ certificateKey }: Peer): string | null {
  return certificateKey === null ? null : sha256(Buffer.from(certificateKey, 'base64')).toString('hex');
}

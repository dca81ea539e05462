import { chmodSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { KeysteadError, messageOf, needs } from '../shared/errors.js';
import { AdminOps } from './admin-ops.js';
import { CryptoSession } from './crypto-ops.js';
import type { CryptoUnit } from './crypto-unit.js';
import { refusalOf } from './facts.js';
import { type Frame, FrameReader, FrameWriter } from './frames.js';
import { ANSWER_OK, ANSWER_REFUSED, OPCODES, type Opcode } from './protocol.js';

/** Longer paths are cut off silently by Node 20: the size of sun_path, less its end mark. */
const LONGEST_PATH_BYTES = 107;

const NAME_OF = new Map(Object.entries(OPCODES).map(([name, code]) => [code as number, name as Opcode]));

/** An open connection. */
interface Peer {
  readonly socket: Socket;
  readonly writer: FrameWriter;
  readonly crypto: CryptoSession;
}

/**
 * The agent's end of the unit's socket. Crypto ops are done at once, on this one thread; what changes the unit goes
 * through one queue (AdminOps). Answers go out in the order in which they are ready.
 */
export class AgentServer {
  readonly #server: Server;
  readonly #peers = new Set<Peer>();
  readonly #admin: AdminOps;
  /** Answers that are not ready yet. */
  readonly #begun = new Set<Promise<void>>();

  private constructor(private readonly unit: CryptoUnit) {
    this.#admin = new AdminOps(unit);
    this.#server = createServer((socket) => this.#meet(socket));
    unit.closeCryptoConnections = () => this.#closeCryptoConnections();
  }

  /** Listens on a 0600 socket at the path. CONFIG_INVALID when the path is too long or its directory not private. */
  static async listen(unit: CryptoUnit, path: string): Promise<AgentServer> {
    const length = Buffer.byteLength(path);
    needs(
      length <= LONGEST_PATH_BYTES,
      'CONFIG_INVALID',
      `the socket path ${path} has ${length} bytes; a Unix socket takes ${LONGEST_PATH_BYTES}: choose a shorter one`,
    );
    const closed = (statSync(dirname(path)).mode & 0o077) === 0;
    needs(closed, 'CONFIG_INVALID', `the directory of the socket ${path} is open to others; make it mode 0700`);
    const server = new AgentServer(unit);
    rmSync(path, { force: true }); // of an agent that was killed: whoever holds the unit's lock owns this name
    await new Promise<void>((resolve, reject) => {
      server.#server.once('error', reject);
      server.#server.listen(path, resolve);
    });
    chmodSync(path, 0o600);
    return server;
  }

  /** Takes no more connections, finishes what was begun, then ends the open ones. */
  async drain(): Promise<void> {
    this.#server.close();
    while (this.#begun.size > 0) await Promise.all(this.#begun);
    for (const { socket, writer } of this.#peers) {
      writer.flush();
      socket.end();
    }
  }

  #meet(socket: Socket): void {
    const peer: Peer = { socket, writer: new FrameWriter(socket), crypto: new CryptoSession(this.unit) };
    const reader = new FrameReader();
    this.#peers.add(peer);
    socket.on('close', () => this.#peers.delete(peer));
    socket.on('error', (cause) => this.unit.log.debug({ event: 'connection-error', message: cause.message }));
    socket.on('drain', () => socket.resume());
    socket.on('data', (piece: Buffer) => {
      try {
        for (const frame of reader.push(piece)) this.#answer(peer, frame);
      } catch (cause) {
        this.unit.log.warn({ event: 'bad-frame', unit: this.unit.dir.id, message: messageOf(cause) });
        socket.destroy();
      }
      if (socket.writableNeedDrain) socket.pause(); // a peer that does not read does not get to ask
      this.unit.recycleIfDue();
    });
  }

  #answer(peer: Peer, frame: Frame): void {
    const { id } = frame;
    const send = (code: number, body: Buffer) => {
      if (!peer.socket.destroyed) peer.writer.write({ id, code, body });
    };
    const refuse = (cause: unknown) => send(ANSWER_REFUSED, Buffer.from(JSON.stringify(this.#refusal(cause))));
    try {
      const answer = this.#run(peer, frame);
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

  #run({ crypto }: Peer, { code, body }: Frame): Buffer | Promise<Buffer> {
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
        return crypto[op](body);
      case undefined:
        throw new KeysteadError('BAD_REQUEST', `there is no op ${code}`);
      default:
        return this.#admin.run(op, body);
    }
  }

  #refusal(cause: unknown): { code: string; message: string } {
    const refusal = refusalOf(cause);
    if (refusal.code === 'UNIT_FAULT' || refusal.code === 'TOKEN_LOST') this.unit.keeper.suspect();
    return refusal;
  }

  #closeCryptoConnections(): void {
    for (const { socket, crypto } of this.#peers) if (crypto.proved) socket.destroy();
  }
}

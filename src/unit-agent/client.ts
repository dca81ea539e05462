import { constants, type KeyObject, sign } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { lengthPrefixed } from '../shared/bytes.js';
import { isErrorCode, KeysteadError, messageOf } from '../shared/errors.js';
import { readFields, rowFields } from './fields.js';
import { FrameReader, FrameWriter } from './frames.js';
import { kmsUserProof } from './kms-user-proof.js';
import {
  ANSWER_OK,
  type Capabilities,
  type ClaimRequest,
  type FactsAnswer,
  type FactsRequest,
  type KeyRowFields,
  OPCODES,
  type Opcode,
  type ReceiptAnswer,
  type Refusal,
  type UnitProbe,
} from './protocol.js';

/** Claims and commands write to the token several times and may make an RSA-3072 pair. */
const ACT_DEADLINE_MS = 30_000;

export interface ConnectionOptions {
  /** How long one request may take before the agent counts as hung. */
  readonly deadlineMs: number;
  /** Called once, when a deadline has passed: time to kill the agent. */
  readonly onHang?: () => void;
}

interface Waiting {
  readonly resolve: (body: Buffer) => void;
  readonly reject: (cause: unknown) => void;
  readonly timer: NodeJS.Timeout;
}

/** One connection to an agent: many requests at a time, each with a deadline. */
export class AgentConnection {
  /** Fulfilled, never rejected, when the connection is gone. */
  readonly closed: Promise<void>;
  readonly #reader = new FrameReader();
  readonly #writer: FrameWriter;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #gone: KeysteadError | null = null;

  private constructor(
    private readonly socket: Socket,
    private readonly options: ConnectionOptions,
  ) {
    this.#writer = new FrameWriter(socket);
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('data', (piece: Buffer) => this.#receive(piece));
    socket.on('error', (cause) => this.#end(`the connection to the agent failed: ${messageOf(cause)}`));
    socket.on('close', () => this.#end('the agent closed the connection'));
  }

  /** Throws UNIT_UNREACHABLE when no agent listens there, or not within the deadline. */
  static connect(socketPath: string, options: ConnectionOptions): Promise<AgentConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(socketPath);
      const refuse = (why: string) => {
        socket.destroy();
        reject(new KeysteadError('UNIT_UNREACHABLE', `no agent answers at ${socketPath}: ${why}`));
      };
      const timer = setTimeout(() => refuse('the deadline has passed'), options.deadlineMs);
      const failed = (cause: Error) => {
        clearTimeout(timer);
        refuse(cause.message);
      };
      socket.once('error', failed);
      socket.once('connect', () => {
        clearTimeout(timer);
        socket.off('error', failed);
        resolve(new AgentConnection(socket, options));
      });
    });
  }

  /**
   * The body of the answer. Throws what the agent refused with, or UNIT_UNREACHABLE when the connection is gone or
   * the deadline has passed; then the connection is of no use any more, and whether the agent acted is not known.
   */
  request(op: Opcode, body: Buffer, deadlineMs = this.options.deadlineMs): Promise<Buffer> {
    if (this.#gone) return Promise.reject(this.#gone);
    const id = this.#nextId;
    this.#nextId = id === 0xffffffff ? 1 : id + 1;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#hang(op, deadlineMs), deadlineMs);
      try {
        this.#writer.write({ id, code: OPCODES[op], body });
        this.#waiting.set(id, { resolve, reject, timer });
      } catch (cause) {
        clearTimeout(timer);
        reject(cause);
      }
    });
  }

  close(): void {
    this.#writer.flush();
    this.socket.end();
    this.#end('the connection was closed');
  }

  #receive(piece: Buffer): void {
    try {
      for (const frame of this.#reader.push(piece)) {
        const asked = this.#waiting.get(frame.id);
        if (!asked) continue;
        this.#waiting.delete(frame.id);
        clearTimeout(asked.timer);
        if (frame.code === ANSWER_OK) asked.resolve(frame.body);
        else asked.reject(refusalOf(frame.body));
      }
    } catch (cause) {
      this.socket.destroy();
      this.#end(`the agent sent nonsense: ${messageOf(cause)}`);
    }
  }

  #hang(op: Opcode, deadlineMs: number): void {
    if (this.#gone) return;
    this.socket.destroy();
    this.#end(`the agent did not answer ${op} within ${deadlineMs} ms`);
    this.options.onHang?.();
  }

  #end(why: string): void {
    if (this.#gone) return;
    this.#gone = new KeysteadError('UNIT_UNREACHABLE', why);
    for (const asked of this.#waiting.values()) {
      clearTimeout(asked.timer);
      asked.reject(this.#gone);
    }
    this.#waiting.clear();
  }
}

function refusalOf(body: Buffer): KeysteadError {
  const { code, message } = JSON.parse(body.toString('utf8')) as Refusal;
  return new KeysteadError(isErrorCode(code) ? code : 'INTERNAL', String(message));
}

/** The admin set: what is true of the unit, claim, and signed commands. Refusals come back as thrown KeysteadErrors. */
export class AdminClient {
  constructor(readonly connection: AgentConnection) {}

  probe(): Promise<UnitProbe> {
    return this.#ask('probe', {});
  }

  facts(request: FactsRequest): Promise<FactsAnswer> {
    return this.#ask('facts', request);
  }

  capabilities(): Promise<Capabilities> {
    return this.#ask('capabilities', {});
  }

  /** The receipt of a claim that was done. */
  claim(request: ClaimRequest): Promise<ReceiptAnswer> {
    return this.#ask('claim', request, ACT_DEADLINE_MS);
  }

  /**
   * The receipt says whether the op was done or refused. A thrown refusal means that nothing changed, counter included;
   * only after UNIT_FAULT, TOKEN_LOST and UNIT_UNREACHABLE that is not known: the same document again tells.
   */
  command(document: string): Promise<ReceiptAnswer> {
    return this.#ask('command', { document }, ACT_DEADLINE_MS);
  }

  async #ask<T>(op: Opcode, body: object, deadlineMs?: number): Promise<T> {
    const answer = await this.connection.request(op, Buffer.from(JSON.stringify(body)), deadlineMs);
    return JSON.parse(answer.toString('utf8')) as T;
  }
}

/** The crypto set, on a connection on which the KMS user proved itself. */
export class CryptoClient {
  private constructor(readonly connection: AgentConnection) {}

  /** Answers the agent's challenge with the KMS user's private key (RSA). Throws KMS_USER_REFUSED. */
  static async open(connection: AgentConnection, identity: KeyObject): Promise<CryptoClient> {
    const [challenge, unit] = readFields(await connection.request('challenge', Buffer.alloc(0)), 2) as [Buffer, Buffer];
    const signature = sign('sha256', kmsUserProof(unit.toString('utf8'), challenge), {
      key: identity,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: 32,
    });
    await connection.request('prove', signature);
    return new CryptoClient(connection);
  }

  /** `length` random bytes of the token, 1 to 4096. */
  random(length: number): Promise<Buffer> {
    const asked = Buffer.alloc(4);
    asked.writeUInt32BE(length);
    return this.connection.request('random', asked);
  }

  /** A new AES-256 key wrapped under the master key (40 bytes), and the row MAC over row and blob (32 bytes). */
  async generateRootKey(row: KeyRowFields): Promise<{ blob: Buffer; mac: Buffer }> {
    const answer = await this.connection.request('generateRootKey', lengthPrefixed(rowFields(row)));
    const [blob, mac] = readFields(answer, 2) as [Buffer, Buffer];
    return { blob, mac };
  }

  /** iv (12 bytes) ‖ ciphertext ‖ tag (16 bytes). Throws KEY_ROW_INVALID, KEY_STATE. */
  encrypt(row: KeyRowFields, blob: Buffer, mac: Buffer, aad: Buffer, plaintext: Buffer): Promise<Buffer> {
    return this.connection.request('encrypt', lengthPrefixed([...rowFields(row), blob, mac, aad, plaintext]));
  }

  /** The plaintext. Throws CIPHERTEXT_INVALID, KEY_ROW_INVALID, KEY_STATE. */
  decrypt(row: KeyRowFields, blob: Buffer, mac: Buffer, aad: Buffer, sealed: Buffer): Promise<Buffer> {
    return this.connection.request('decrypt', lengthPrefixed([...rowFields(row), blob, mac, aad, sealed]));
  }
}

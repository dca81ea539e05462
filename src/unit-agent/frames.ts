import type { Socket } from 'node:net';
import { KeysteadError } from '../shared/errors.js';
import { MAX_FRAME_BYTES } from './protocol.js';

/** One request or answer as it goes over the socket (protocol.ts). */
export interface Frame {
  /** Chosen by the asker, 0 to 2^32 - 1; the answer carries the same. */
  readonly id: number;
  /** An opcode in a request, ANSWER_OK or ANSWER_REFUSED in an answer. */
  readonly code: number;
  readonly body: Buffer;
}

const HEAD_BYTES = 9;
const AFTER_LENGTH = HEAD_BYTES - 4;

/** The bytes of a frame. Throws BAD_REQUEST when it would be longer than MAX_FRAME_BYTES. */
export function encodeFrame({ id, code, body }: Frame): Buffer {
  const length = AFTER_LENGTH + body.length;
  if (length > MAX_FRAME_BYTES)
    throw new KeysteadError('BAD_REQUEST', `a frame holds ${MAX_FRAME_BYTES} bytes at most`);
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + body.length);
  bytes.writeUInt32BE(length, 0);
  bytes.writeUInt32BE(id, 4);
  bytes.writeUInt8(code, 8);
  body.copy(bytes, HEAD_BYTES);
  return bytes;
}

/** Cuts a stream of bytes into frames, whatever the pieces it arrives in. */
export class FrameReader {
  #pieces: Buffer[] = [];
  #have = 0;
  #need = 4;

  /** The frames that are complete now. Throws BAD_REQUEST on an impossible length: the stream is of no use after that. */
  push(piece: Buffer): Frame[] {
    this.#pieces.push(piece);
    this.#have += piece.length;
    if (this.#have < this.#need) return []; // a long frame in many pieces is joined once, not at each piece
    const bytes = this.#pieces.length === 1 ? piece : Buffer.concat(this.#pieces);
    const frames: Frame[] = [];
    let at = 0;
    this.#need = 4;
    while (bytes.length - at >= 4) {
      const length = bytes.readUInt32BE(at);
      if (length < AFTER_LENGTH || length > MAX_FRAME_BYTES) {
        throw new KeysteadError('BAD_REQUEST', `a frame of ${length} bytes is not possible`);
      }
      this.#need = 4 + length;
      if (bytes.length - at < this.#need) break;
      frames.push({
        id: bytes.readUInt32BE(at + 4),
        code: bytes.readUInt8(at + 8),
        body: bytes.subarray(at + HEAD_BYTES, at + 4 + length),
      });
      at += 4 + length;
      this.#need = 4;
    }
    this.#pieces = at < bytes.length ? [bytes.subarray(at)] : [];
    this.#have = bytes.length - at;
    return frames;
  }
}

/** So many frames go at once: who reads them has something to do while the next ones are made. */
const FULL = 32;

/** Writes the frames of one tick at once: a system call per tick, not per frame. */
export class FrameWriter {
  #waiting: Buffer[] = [];

  constructor(private readonly socket: Socket) {}

  write(frame: Frame): void {
    this.#waiting.push(encodeFrame(frame));
    if (this.#waiting.length === 1) setImmediate(() => this.flush());
    else if (this.#waiting.length === FULL) this.flush();
  }

  flush(): void {
    if (this.#waiting.length === 0 || this.socket.destroyed) return;
    const bytes = this.#waiting.length === 1 ? (this.#waiting[0] as Buffer) : Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.socket.write(bytes);
  }
}

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
  return frameOf(id, code, [body]);
}

function frameOf(id: number, code: number, body: readonly Buffer[]): Buffer {
  const bytes = Buffer.allocUnsafe(frameBytes(body));
  put(bytes, 0, id, code, body);
  return bytes;
}

/** How long the frame of this body is. Throws BAD_REQUEST when that is longer than MAX_FRAME_BYTES. */
function frameBytes(body: readonly Buffer[]): number {
  let size = HEAD_BYTES;
  for (const piece of body) size += piece.length;
  if (size - 4 > MAX_FRAME_BYTES)
    throw new KeysteadError('BAD_REQUEST', `a frame holds ${MAX_FRAME_BYTES} bytes at most`);
  return size;
}

/** Writes a frame at this place; gives the place after it. */
function put(bytes: Buffer, start: number, id: number, code: number, body: readonly Buffer[]): number {
  let at = start + HEAD_BYTES;
  for (const piece of body) {
    bytes.set(piece, at);
    at += piece.length;
  }
  bytes.writeUInt32BE(at - start - 4, start);
  bytes.writeUInt32BE(id, start + 4);
  bytes.writeUInt8(code, start + 8);
  return at;
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
const ROOM_BYTES = 64 * 1024;

/**
 * Writes the frames of one tick at once: a system call per tick, not per frame. They are put into one buffer, and no
 * piece of memory is made for any; the next ones overwrite it as soon as the kernel has taken them.
 */
export class FrameWriter {
  #bytes = Buffer.allocUnsafeSlow(ROOM_BYTES);
  #end = 0;
  #frames = 0;

  constructor(private readonly socket: Socket) {}

  /** The frame's body is the pieces, one after the other; they are copied. Throws as encodeFrame. */
  write(id: number, code: number, body: readonly Buffer[]): void {
    const size = frameBytes(body);
    if (this.#end + size > ROOM_BYTES) this.flush();
    if (size > ROOM_BYTES) {
      this.socket.write(frameOf(id, code, body));
      return;
    }
    this.#end = put(this.#bytes, this.#end, id, code, body);
    this.#frames += 1;
    if (this.#frames === 1) setImmediate(() => this.flush());
    else if (this.#frames === FULL) this.flush();
  }

  flush(): void {
    const bytes = this.#bytes.subarray(0, this.#end);
    this.#end = 0;
    this.#frames = 0;
    if (bytes.length === 0 || this.socket.destroyed) return;
    this.socket.write(bytes);
    if (this.socket.writableLength > 0)
      this.#bytes = Buffer.allocUnsafeSlow(ROOM_BYTES); // the socket reads it yet
    else bytes.fill(0); // there may have been keys in it
  }
}

import { write, writeSync } from 'node:fs';
import { setTimeout as after } from 'node:timers/promises';
import type { DestinationStream } from 'pino';

/** A reader that stands still gets this many lines later, and no more: the server's memory is not its buffer. */
const MOST_LINES = 10_000;
const RETRY_MS = 50;
const SETTLE_MS = 500;

/**
 * Where log lines go: a file descriptor, without ever waiting for who reads it. When the process ends, what is left is
 * offered once more, and given up where nobody takes it. pino's own destination tries for ever then, and a server whose
 * log reader has died could not end (sonic-boom 4: flushSync repeats a write that fails with EPIPE).
 */
export class LogOutput implements DestinationStream {
  #lines: string[] = [];
  #dropped = 0;
  #writing: Buffer | undefined;
  #closed = false;

  constructor(private readonly fd: number) {
    process.on('exit', () => this.#offer());
  }

  write(line: string): void {
    if (this.#closed) return;
    if (this.#lines.length >= MOST_LINES) this.#dropped += 1;
    else this.#lines.push(line);
    if (this.#writing === undefined) this.#next();
  }

  /** Fulfilled when every line is written, or after half a second. */
  async settled(): Promise<void> {
    const deadline = Date.now() + SETTLE_MS;
    while (this.#writing !== undefined && Date.now() < deadline) await after(1);
  }

  #next(): void {
    if (this.#lines.length === 0) return;
    this.#writing = this.#take();
    this.#continue();
  }

  #continue(): void {
    const bytes = this.#writing as Buffer;
    write(this.fd, bytes, (cause, written) => {
      if (cause?.code === 'EAGAIN') void after(RETRY_MS, undefined, { ref: false }).then(() => this.#continue());
      else if (cause) this.#close();
      else this.#wrote(bytes.subarray(written));
    });
  }

  #wrote(rest: Buffer): void {
    this.#writing = rest.length > 0 ? rest : undefined;
    if (rest.length > 0) this.#continue();
    else this.#next();
  }

  /** All lines that wait, and how many were dropped before them. */
  #take(): Buffer {
    const note = `${JSON.stringify({ level: 40, time: Date.now(), event: 'log-lines-dropped', lines: this.#dropped })}\n`;
    const text = this.#lines.join('') + (this.#dropped > 0 ? note : '');
    this.#lines = [];
    this.#dropped = 0;
    return Buffer.from(text);
  }

  #offer(): void {
    if (this.#closed) return;
    const rest = Buffer.concat([this.#writing ?? Buffer.alloc(0), this.#take()]);
    try {
      for (let at = 0; at < rest.length; ) at += writeSync(this.fd, rest, at);
    } catch {
      this.#close(); // the process ends: there is nobody left to tell
    }
  }

  #close(): void {
    this.#closed = true;
    this.#lines = [];
    this.#writing = undefined;
  }
}

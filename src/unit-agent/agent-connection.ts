import type { Socket } from 'node:net';
import { isErrorCode, KeysteadError, messageOf } from '../shared/errors.js';
import { type CallMeter, type CallOutcome, outcomeOf } from './call-meter.js';
import { type Dial, open } from './dial.js';
import { FrameReader, FrameWriter } from './frames.js';
import { ANSWER_OK, OPCODES, type Opcode, type Refusal } from './protocol.js';
import { SilenceWatch, UnitSilentError } from './silence-watch.js';

export interface ConnectionOptions {
  /** How long one request may take before the agent counts as hung. */
  readonly deadlineMs: number;
  /** How long connecting may take; as long as a request when it is not given. */
  readonly connectMs?: number;
  /** Called once, when a deadline has passed: time to kill the agent. */
  readonly onHang?: () => void;
  /** Is told of every call when it has ended. */
  readonly calls?: CallMeter;
}

export interface RequestOptions {
  /** How long the agent may take; as long as the connection says when it is not given. */
  readonly deadlineMs?: number | undefined;
  /** Who asks can ask another agent: it is told soon when this one is silent (UnitSilentError), long before the deadline. */
  readonly hasty?: boolean;
}

interface Waiting {
  readonly op: Opcode;
  /** By `performance.now()`. */
  readonly since: number;
  readonly resolve: (body: Buffer) => void;
  readonly reject: (cause: unknown) => void;
  readonly deadlineMs: number;
  readonly hasty: boolean;
  /** That the agent is silent. */
  told: boolean;
}

/** One connection to an agent: many requests at a time, each with a deadline. */
export class AgentConnection {
  /** Fulfilled, never rejected, when the connection is gone. */
  readonly closed: Promise<void>;
  readonly #reader = new FrameReader();
  readonly #writer: FrameWriter;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  /** One for all who wait, not one for each: rings when the first of them must have its answer. */
  #alarm: NodeJS.Timeout | undefined;
  #alarmAt = Number.POSITIVE_INFINITY;
  #gone: KeysteadError | null = null;
  /** Those who wait and are in haste. */
  #hasty = 0;
  #unanswered = 0;
  readonly #silence = new SilenceWatch(
    () => this.#hasty > 0,
    () => this.#tellHasty(),
  );

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

  /** Throws UNIT_UNREACHABLE when no agent listens there, or not within the deadline, or it is not the one we trust. */
  static connect(dial: Dial, options: ConnectionOptions): Promise<AgentConnection> {
    return new Promise((resolve, reject) => {
      const { socket, ready, where } = open(dial);
      const refuse = (why: string) => {
        socket.destroy();
        reject(new KeysteadError('UNIT_UNREACHABLE', `no agent answers at ${where}: ${why}`));
      };
      const { connectMs = options.deadlineMs } = options;
      const timer = setTimeout(() => refuse('the deadline has passed'), connectMs);
      const failed = (cause: Error) => {
        clearTimeout(timer);
        refuse(cause.message);
      };
      socket.once('error', failed);
      socket.once(ready, () => {
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
  request(
    op: Opcode,
    body: Buffer | readonly Buffer[],
    { deadlineMs, hasty = false }: RequestOptions = {},
  ): Promise<Buffer> {
    if (this.#gone) return Promise.reject(this.#gone);
    const id = this.#nextId;
    this.#nextId = id === 0xffffffff ? 1 : id + 1;
    return new Promise((resolve, reject) => {
      this.#writer.write(id, OPCODES[op], Buffer.isBuffer(body) ? [body] : body);
      const since = performance.now();
      const most = deadlineMs ?? this.options.deadlineMs;
      this.#waiting.set(id, { op, since, deadlineMs: most, resolve, reject, hasty, told: false });
      if (since + most < this.#alarmAt) this.#setAlarm(since + most);
      if (!hasty) return;
      this.#hasty += 1;
      this.#silence.begin();
    });
  }

  /** When the connection is gone: requests that were told of a silence, and were never answered. */
  get unanswered(): number {
    return this.#unanswered;
  }

  /** The agent went silent while a hasty request waited, and has not said a word since. */
  get silent(): boolean {
    return this.#silence.silent;
  }

  /** Since when, by `performance.now()`, the request waits that has waited longest (an agent answers most of them in turn); undefined for none. */
  get waitingSince(): number | undefined {
    const [oldest] = this.#waiting.values();
    return oldest?.since;
  }

  /** Requests that wait for their answer. */
  get inFlight(): number {
    return this.#waiting.size;
  }

  close(): void {
    this.#writer.flush();
    this.socket.end();
    this.#end('the connection was closed');
  }

  #receive(piece: Buffer): void {
    try {
      this.#silence.heard();
      const now = performance.now();
      for (const frame of this.#reader.push(piece)) {
        const asked = this.#waiting.get(frame.id);
        if (!asked) continue;
        this.#waiting.delete(frame.id);
        if (asked.hasty) this.#silence.took(now - asked.since);
        if (asked.hasty && !asked.told) this.#hasty -= 1;
        if (frame.code === ANSWER_OK) {
          this.#note(asked, 'success', now);
          asked.resolve(frame.body);
        } else {
          const refusal = refusalOf(frame.body);
          this.#note(asked, outcomeOf(refusal.code), now);
          asked.reject(refusal);
        }
      }
    } catch (cause) {
      this.socket.destroy();
      this.#end(`the agent sent nonsense: ${messageOf(cause)}`);
    }
  }

  #tellHasty(): void {
    const silent = new UnitSilentError();
    for (const asked of this.#waiting.values()) {
      if (!asked.hasty || asked.told) continue;
      asked.told = true;
      this.options.calls?.noteAbandoned();
      asked.reject(silent);
    }
    this.#hasty = 0;
  }

  #setAlarm(at: number): void {
    clearTimeout(this.#alarm);
    this.#alarmAt = at;
    this.#alarm = setTimeout(() => this.#ring(), Math.ceil(at - performance.now()));
  }

  /** Somebody's deadline has passed, unless it was somebody's who has an answer by now. */
  #ring(): void {
    let next = Number.POSITIVE_INFINITY;
    for (const { op, since, deadlineMs } of this.#waiting.values()) {
      if (since + deadlineMs <= performance.now()) {
        this.#hang(op, deadlineMs);
        return;
      }
      next = Math.min(next, since + deadlineMs);
    }
    this.#alarmAt = next;
    if (this.#waiting.size > 0) this.#setAlarm(next);
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
    clearTimeout(this.#alarm);
    this.#silence.end();
    const now = performance.now();
    for (const asked of this.#waiting.values()) {
      this.#note(asked, 'silent', now);
      if (asked.told) this.#unanswered += 1;
      asked.reject(this.#gone);
    }
    this.#waiting.clear();
  }

  #note({ op, since }: Waiting, outcome: CallOutcome, now: number): void {
    this.options.calls?.note(op, outcome, (now - since) / 1_000);
  }
}

function refusalOf(body: Buffer): KeysteadError {
  const { code, message } = JSON.parse(body.toString('utf8')) as Refusal;
  return new KeysteadError(isErrorCode(code) ? code : 'INTERNAL', String(message));
}

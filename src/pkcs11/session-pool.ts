import type { Handle, PKCS11 } from 'pkcs11js';
import { KeysteadError, needs } from '../shared/errors.js';
import { toKeysteadError } from './ckr.js';
import { forgetOpenSslErrors } from './openssl-errors.js';

/** Good for one operation at a time, so it is lent, never kept. */
export interface Session {
  readonly lib: PKCS11;
  readonly handle: Handle;
}

/**
 * Sessions and concurrency.
 * 1. The token is logged in once, on a guard session that stays open: login belongs to the process and is lost with the
 *    last session. The guard also owns the long-lived session objects, which die with the session that made them. It is
 *    used only for calls that leave no operation behind when they fail (unwrap, generate, copy, create, destroy).
 * 2. Everything with an Init in it runs on a session lent by this pool, to one caller at a time. There are at most
 *    `budget` of them, opened when first needed.
 * 3. The agent has one thread. Synchronous work (`use`) begins and ends within a call, so one session is enough for all of
 *    it, and one place is kept free for it. Asynchronous work (`lease`: RSA key pairs) holds its session across an await
 *    and waits in line, first come first served, for the remaining places.
 * 4. A session that saw an error is closed: after some errors a module leaves the operation half open, and every later
 *    Init on that session would fail.
 */
export class SessionPool {
  readonly #idle: Session[] = [];
  readonly #waiting: { start: (session: Session) => void; fail: (cause: unknown) => void }[] = [];
  #opened = 0;
  #held = 0;
  #running = 0;
  #closed = false;

  constructor(
    private readonly open: () => Session,
    readonly budget: number,
  ) {
    needs(budget >= 2, 'CONFIG_INVALID', 'a token needs at least two sessions besides its guard session');
  }

  /** Sessions open now; never more than the budget. */
  get opened(): number {
    return this.#opened;
  }

  /** Sessions that are lent across an await. */
  get leased(): number {
    return this.#held;
  }

  /** Asynchronous calls under way in the module; it must not be finalized before they are done. */
  get running(): number {
    return this.#running;
  }

  /** Runs synchronous work on a session of its own. Throws what the work threw, as a KeysteadError. */
  use<T>(doing: string, work: (session: Session) => T): T {
    const session = this.#take(doing);
    try {
      const result = work(session);
      this.#giveBack(session);
      return result;
    } catch (cause) {
      forgetOpenSslErrors();
      this.#close(session);
      throw toKeysteadError(cause, doing);
    }
  }

  /** Runs asynchronous work on a session of its own, after those who asked before. */
  async lease<T>(doing: string, work: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.hold(doing);
    const result = await this.run(session, doing, work);
    this.#held -= 1;
    this.#giveBack(session);
    return result;
  }

  /** A session for the life of session objects that end with it; goes back by `drop`. Waits in line for a place. */
  async hold(doing: string): Promise<Session> {
    if (this.#held < this.budget - 1) {
      const session = this.#take(doing);
      this.#held += 1;
      return session;
    }
    return new Promise((start, fail) => this.#waiting.push({ start, fail }));
  }

  /** Runs asynchronous work on a held session. When the work fails the session is dropped. */
  async run<T>(session: Session, doing: string, work: (session: Session) => Promise<T>): Promise<T> {
    this.#running += 1;
    try {
      return await work(session);
    } catch (cause) {
      forgetOpenSslErrors();
      this.drop(session);
      throw toKeysteadError(cause, doing);
    } finally {
      this.#running -= 1;
    }
  }

  /** Closes a held session, and with it the session objects made on it. */
  drop(session: Session): void {
    this.#held -= 1;
    this.#close(session);
  }

  /** Lends nothing any more; those in line are refused. The sessions themselves end with C_CloseAllSessions. */
  close(): void {
    this.#closed = true;
    this.#idle.length = 0;
    for (const { fail } of this.#waiting.splice(0)) fail(closedError());
  }

  #take(doing: string): Session {
    if (this.#closed) throw closedError();
    const idle = this.#idle.pop();
    if (idle) return idle;
    needs(this.#opened < this.budget, 'UNIT_FAULT', `${doing}: all ${this.budget} sessions of the token are busy`);
    try {
      const session = this.open();
      this.#opened += 1;
      return session;
    } catch (cause) {
      throw toKeysteadError(cause, `${doing}: cannot open a session`);
    }
  }

  #giveBack(session: Session): void {
    if (this.#closed) return;
    this.#idle.push(session);
    this.#serveNext();
  }

  #close(session: Session): void {
    if (this.#closed) return;
    this.#opened -= 1;
    try {
      session.lib.C_CloseSession(session.handle);
    } catch {
      // the work's own error says what is wrong; a session that cannot be closed went with the token
    }
    this.#serveNext();
  }

  #serveNext(): void {
    if (this.#held >= this.budget - 1) return;
    const next = this.#waiting.shift();
    if (!next) return;
    try {
      const session = this.#take('opening a session for a waiting caller');
      this.#held += 1;
      next.start(session);
    } catch (cause) {
      next.fail(cause);
      this.#serveNext();
    }
  }
}

function closedError(): KeysteadError {
  return new KeysteadError('UNIT_FAULT', 'the token was closed; open it again');
}

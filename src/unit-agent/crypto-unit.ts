import type { Importer, UnitToken } from '../pkcs11/unit-token.js';
import { KeysteadError, messageOf } from '../shared/errors.js';
import type { AgentLog } from './agent-log.js';
import { GenuineRows } from './genuine-rows.js';
import { Journal } from './journal.js';
import { masterKeyMatches } from './master-key-proof.js';
import type { AuditMark } from './protocol.js';
import { signReceipt } from './receipts.js';
import { TokenKeeper } from './token-keeper.js';
import type { UnitDir } from './unit-dir.js';
import { recordFacts, type UnitRecord } from './unit-record.js';
import { resumeZeroize } from './zeroize.js';
import { zeroizeRequested, zeroizeUnderWay } from './zeroize-journal.js';

/** A one-time pair that waits for its import. */
export interface PendingImporter {
  /** SHA-256 of its SPKI, hex: what the import command signs. */
  readonly digest: string;
  readonly importer: Importer;
  readonly expiresAt: Date;
}

/** One crypto unit as its agent holds it: the token, the record, and what lives only as long as the token is open. */
export class CryptoUnit {
  readonly keeper: TokenKeeper;
  readonly genuineRows = new GenuineRows();
  /** Both proofs of the master key held when they were last computed in this generation. */
  masterKeyProved = false;
  pendingImporter: PendingImporter | undefined;
  /** How far under this claim the unit went over the audit log since the last checkpoint that it signed. */
  followed: { readonly epoch: string; readonly mark: AuditMark } | undefined;
  /** Closes every crypto connection; set by the server of the socket. */
  closeCryptoConnections: () => void = () => undefined;
  /** A call may be under way in the module on another thread: it must not be finalized now. */
  acting = false;
  /** A zeroize was asked for or begun: nothing is done with the unit until it is finished. */
  zeroizing: boolean;
  #journal: Journal | undefined;
  #recordLost = false;
  #lastMade: Promise<unknown> = Promise.resolve();
  readonly #background = new Set<Promise<unknown>>();

  constructor(
    readonly dir: UnitDir,
    sealKeyPath: string,
    readonly log: AgentLog,
  ) {
    this.zeroizing = zeroizeUnderWay(dir) !== undefined || zeroizeRequested(dir);
    this.keeper = new TokenKeeper(dir, sealKeyPath, log, (token) => this.#read(token));
  }

  /** Opens the token, or keeps the reason why not; finishes a zeroize that was begun. */
  start(): void {
    this.keeper.tryOpen();
    this.#resume();
  }

  /** At each probe: token and record are looked at, and got back if they can be. */
  refresh(): void {
    this.#endExpiredImporter();
    this.keeper.refresh(!this.acting && this.#background.size === 0);
    this.#resume();
    if (this.acting) return;
    this.settle();
    if (!this.zeroizing && this.keeper.open && !this.journal().holds()) this.openAnew();
  }

  /** The token answers, and what is on it is wrong or does not work. */
  openAnew(): void {
    if (!this.acting && !this.zeroizing && this.#background.size === 0) this.keeper.openAnew();
  }

  /** Opens the module anew when it has leaked enough. An importer, which is lost by it, may wait for a day: not for ever. */
  recycleIfDue(): void {
    if (!this.acting && this.#background.size === 0) this.keeper.recycleIfDue(this.pendingImporter ? 2 : 1);
  }

  /** Remembers work that goes on on another thread: until it is done the module is not finalized. */
  inBackground<T>(work: Promise<T>): Promise<T> {
    const done = work.catch(() => undefined); // the one who asked hears of it
    this.#background.add(done);
    void done.then(() => this.#background.delete(done));
    return work;
  }

  /** Makes RSA pairs one after the other: each takes a core for seconds, and whoever uses keys needs the others. */
  inTurn<T>(make: () => Promise<T>): Promise<T> {
    const made = this.#lastMade.then(make);
    this.#lastMade = made.catch(() => undefined); // the one who asked hears of it
    return made;
  }

  /** Waits until nothing goes on in the background. */
  async backgroundDone(): Promise<void> {
    while (this.#background.size > 0) await Promise.all(this.#background);
  }

  /** Throws why there is no open token. */
  journal(): Journal {
    const token = this.keeper.token();
    this.#journal ??= new Journal(this.dir, token, this.log);
    return this.#journal;
  }

  /** The unit record; undefined for a reserved unit. Throws why it may not be used. */
  record(): UnitRecord | undefined {
    const journal = this.journal();
    if (this.zeroizing) {
      throw new KeysteadError('UNIT_FAULT', `unit ${this.dir.id} is being zeroized; ask again in a moment`);
    }
    return journal.record();
  }

  /** A fresh proof that the token works, with the master key when there is one. Throws TOKEN_LOST, UNIT_FAULT. */
  canary(): void {
    const mk = this.zeroizing || this.journal().problem ? undefined : this.record()?.mk;
    this.keeper.token().canary(mk ? Buffer.from(mk.wrapId, 'hex') : null);
  }

  get recordLost(): boolean {
    return this.#recordLost;
  }

  /** After a failed commit: what is on the token decides. */
  reload(): void {
    this.pendingImporter?.importer.destroy();
    this.#read(this.keeper.token());
  }

  /** Completes an intent that a failed commit left, once the token takes writes again. */
  settle(): void {
    const journal = this.keeper.open && !this.zeroizing ? this.journal() : undefined;
    if (!journal?.unsettled) return;
    try {
      this.reload();
    } catch (cause) {
      this.log.warn({ event: 'not-settled', message: messageOf(cause) });
    }
  }

  /** Forgets all that belongs to an open token. */
  dropGeneration(): void {
    this.#journal = undefined;
    this.genuineRows.forget();
    this.pendingImporter = undefined;
    this.masterKeyProved = false;
  }

  #read(token: UnitToken): void {
    this.dropGeneration();
    const journal = new Journal(this.dir, token, this.log);
    this.#recordLost = journal.lost;
    if (!this.zeroizing) {
      this.#tidy(token, journal);
      const record = journal.problem ? undefined : journal.record();
      this.masterKeyProved = record?.mk ? masterKeyMatches(token, record.instance, record.mk) : false;
    }
    this.#journal = journal;
  }

  /** A disk that is full or read-only keeps no unit from serving what it holds; the next probe tries again. */
  #tidy(token: UnitToken, journal: Journal): void {
    try {
      this.#settle(token, journal);
      journal.sweep();
    } catch (cause) {
      if (cause instanceof KeysteadError && cause.code === 'TOKEN_LOST') throw cause;
      this.log.warn({ event: 'not-settled', message: messageOf(cause) });
    }
  }

  /**
   * Completes intents without a result. The record that names an act's objects is written with its result, so a record
   * with a bare intent says that the act did not happen.
   */
  #settle(token: UnitToken, journal: Journal): void {
    const record = journal.unsettled ? journal.record() : undefined;
    if (!record) return;
    const error = {
      code: 'UNIT_FAULT',
      message: 'the unit stopped before the command took effect and nothing was changed; sign it again',
    } as const;
    const plans = record.plans.map((one) => {
      if (one.receipt !== null) return one;
      const { plan, digest, counter } = one;
      const said = { plan, nonce: null, digest, op: one.op, outcome: 'refused', error } as const;
      return {
        ...one,
        receipt: signReceipt(token, { ...record, counter }, { ...said, facts: { ...recordFacts(record) } }),
      };
    });
    journal.commit({ ...record, plans });
  }

  #endExpiredImporter(): void {
    if (!this.pendingImporter || this.pendingImporter.expiresAt.getTime() > Date.now()) return;
    if (this.keeper.open) this.pendingImporter.importer.destroy();
    this.pendingImporter = undefined;
  }

  #resume(): void {
    if (!this.zeroizing || this.acting || this.#background.size > 0) return;
    try {
      resumeZeroize(this);
    } catch (cause) {
      this.log.error({ event: 'zeroize-stuck', message: messageOf(cause) });
      this.keeper.suspect();
    }
  }
}

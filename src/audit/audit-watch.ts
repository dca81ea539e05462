import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type pg from 'pg';
import { DataSource } from 'typeorm';
import { ask } from '../database/own-connection.js';
import { KeysteadError } from '../shared/errors.js';
import { LinkedList } from '../shared/linked-list.js';
import { auditConnection, CHAIN_LOCK, refusalOf } from './audit-connection.js';
import { AuditLog } from './audit-log.js';

const CHECK_EVERY_MS = 300;
/** Detection and answer together stay below 2 s. */
const CHECK_DEADLINE_MS = 1_000;

/** Waits in the line of those who append, then for the table, as they do: but writes nothing. */
const CAN_WRITE = {
  text: `SELECT pg_advisory_lock(${CHAIN_LOCK}), pg_advisory_unlock(${CHAIN_LOCK}),
         NOT pg_is_in_recovery() AND has_table_privilege('audit_lines', 'INSERT') AS "writable"`,
};
const LOCK_TABLE = { text: `DO $$ BEGIN LOCK TABLE "audit_lines" IN ROW EXCLUSIVE MODE; END $$` };
/** Writes a line and takes it back: after a write that failed, only a write shows that it works again. */
const TRY_TO_WRITE = {
  text: `DO $$ BEGIN
    INSERT INTO "audit_lines" ("seq", "at", "act", "outcome", "by", "hash") VALUES (-1, now(), '', '', '', '');
    RAISE EXCEPTION USING ERRCODE = 'KS000';
  EXCEPTION WHEN SQLSTATE 'KS000' THEN NULL;
  END $$`,
};

/**
 * Whether the audit log can be written, as of the last half second. Nothing is served while it cannot: requests are
 * refused at once, and those under way are told so instead of waiting. It ends by itself when a check passes.
 */
@Injectable()
export class AuditWatch implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #pool: pg.Pool;
  #timer: NodeJS.Timeout | undefined;
  #checking: Promise<void> | undefined;
  /** A write failed since the last one that was tried. */
  #suspect = false;
  #refusal: KeysteadError | undefined = new KeysteadError('AUDIT_UNAVAILABLE', 'the audit log was not looked at yet');
  readonly #underWay = new LinkedList<(refusal: unknown) => void>();

  constructor(db: DataSource, audit: AuditLog) {
    this.#pool = auditConnection(db);
    audit.onTrouble = () => this.#doubt();
  }

  get writable(): boolean {
    return this.#refusal === undefined;
  }

  /**
   * What the work gives; at once, when it waits for nothing. Throws AUDIT_UNAVAILABLE or DATABASE_UNAVAILABLE while the log
   * cannot be written, also when that begins in the middle of the work.
   */
  during<T>(work: () => Promise<T>): Promise<T>;
  during<T>(work: () => T | Promise<T>): T | Promise<T>;
  during<T>(work: () => T | Promise<T>): T | Promise<T> {
    if (this.#refusal !== undefined) return Promise.reject(this.#refusal);
    const given = work();
    if (!(given instanceof Promise)) return given;
    return new Promise((resolve, leave) => {
      const entry = this.#underWay.add(leave);
      given.then(
        (answer) => {
          this.#underWay.remove(entry);
          resolve(answer);
        },
        (cause) => {
          this.#underWay.remove(entry);
          leave(cause);
        },
      );
    });
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.check();
    this.#timer = setInterval(() => void this.check(), CHECK_EVERY_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.#timer);
    await this.#checking;
    await this.#pool.end();
  }

  /** One check now, or the one under way. Never throws. */
  check(): Promise<void> {
    this.#checking ??= this.#check().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  #doubt(): void {
    this.#suspect = true;
    void this.check();
  }

  async #check(): Promise<void> {
    let patience: NodeJS.Timeout | undefined;
    const late = new Promise<KeysteadError>((resolve) => {
      const hangs = 'the audit log cannot be written: the database does not answer in time';
      patience = setTimeout(() => resolve(new KeysteadError('AUDIT_UNAVAILABLE', hangs)), CHECK_DEADLINE_MS);
    });
    this.#refusal = await Promise.race([this.#verdict(), late]);
    clearTimeout(patience);
    if (this.#refusal === undefined) return;
    for (const leave of this.#underWay) leave(this.#refusal);
  }

  async #verdict(): Promise<KeysteadError | undefined> {
    const suspect = this.#suspect;
    try {
      const [row] = await ask<{ writable: boolean }>(this.#pool, CAN_WRITE);
      if (row?.writable !== true) return new KeysteadError('AUDIT_UNAVAILABLE', 'the database takes no audit lines');
      await ask(this.#pool, suspect ? TRY_TO_WRITE : LOCK_TABLE);
      if (suspect) this.#suspect = false;
      return undefined;
    } catch (cause) {
      return refusalOf(cause);
    }
  }
}

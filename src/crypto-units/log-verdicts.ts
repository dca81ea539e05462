import { Injectable } from '@nestjs/common';
import { AuditLog } from '../audit/audit-log.js';
import { AuditWatch } from '../audit/audit-watch.js';
import type { UnitFacts } from '../unit-agent/protocol.js';

/** Whether the audit log holds the last checkpoint that a unit signed. `unknown` until it was looked at once. */
export type LogVerdict =
  | { readonly kind: 'held' | 'unknown' }
  | { readonly kind: 'rolled-back'; readonly message: string };

export const UNKNOWN: LogVerdict = { kind: 'unknown' };
const HELD: LogVerdict = { kind: 'held' };
const WAY_OUT = 'restore the newest database, or have the administrators accept this one: kp restore accept';

/**
 * A database that was set back, or that is another one, does not hold the checkpoints that units signed since: its keys
 * may be in a state that they left long ago. Every probe looks; while the database cannot be asked, what was found holds.
 */
@Injectable()
export class LogVerdicts {
  readonly #last = new Map<string, LogVerdict>();
  /** Another number whenever a verdict may be another one. */
  revision = 0;

  constructor(
    private readonly audit: AuditLog,
    private readonly watch: AuditWatch,
  ) {}

  async judge(unitId: string, mark: UnitFacts['audit']): Promise<void> {
    if (mark !== null && mark !== 'unreadable' && !this.watch.writable) return;
    this.#last.set(unitId, await this.#verdictOn(mark));
    this.revision += 1;
  }

  /** Of an instance's unit: when the log does not hold the checkpoint of one, none of them serves. */
  of(unitId: string, siblings: readonly string[]): LogVerdict {
    const all = [unitId, ...siblings].map((id) => this.#last.get(id) ?? UNKNOWN);
    return all.find(({ kind }) => kind === 'rolled-back') ?? all[0] ?? UNKNOWN;
  }

  async #verdictOn(mark: UnitFacts['audit']): Promise<LogVerdict> {
    if (mark === null) return HELD;
    if (mark === 'unreadable') {
      return { kind: 'rolled-back', message: `a unit cannot read the last checkpoint that it signed; ${WAY_OUT}` };
    }
    const root = await this.audit.rootAt(mark.size);
    if (root?.toString('hex') === mark.root) return HELD;
    const found = root === undefined ? 'ends before that' : 'has another history';
    const message = `a unit signed a checkpoint of ${mark.size} lines and the audit log ${found}; ${WAY_OUT}`;
    return { kind: 'rolled-back', message };
  }
}

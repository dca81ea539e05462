import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { coveredBytes, linkHash } from '../audit/audit-chain.js';
import { AuditCheckpoint } from '../audit/audit-checkpoint.entity.js';
import { AuditLog } from '../audit/audit-log.js';
import type { LogHead } from '../audit/audit-record.js';
import { unhurried } from '../database/unhurried.js';
import { CryptoUnit } from '../instances/crypto-unit.entity.js';
import { KeysteadError, messageOf, needs } from '../shared/errors.js';
import { readCheckpoint } from '../unit-agent/checkpoint.js';
import type { CryptoClient } from '../unit-agent/client.js';
import { type AuditMark, isSameMark } from '../unit-agent/protocol.js';
import { Fleet } from './fleet.js';
import { follow } from './follow-log.js';

/** A frame has 1 MiB at most, and holds the agent's only thread, as reading its lines holds ours: a millisecond or two. */
const MOST_LINES = 250;
const MOST_BYTES = 200_000;
/** Times as long as reading some lines took: the rounds must keep up with the log. */
const REST = 1;
/** Key of the advisory lock under which one server at a time has checkpoints signed. */
const CHECKPOINT_LOCK = 0x6b7363; // 'ksc'

export interface CheckpointRound {
  readonly signed: readonly AuditCheckpoint[];
  readonly failed: readonly { readonly unitId: string; readonly message: string }[];
}

/**
 * Has every serving unit sign how far the audit log has come. Each unit gets the lines since the last checkpoint it
 * signed and computes their hashes itself, so that its signature says: this follows on what I signed before.
 */
@Injectable()
export class AuditCheckpoints {
  /** Why the last round could not go over the whole log; null when it could. */
  problem: string | null = null;

  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
    private readonly fleet: Fleet,
  ) {}

  /**
   * One round, after that of any other server. A unit that cannot sign does not keep the others from it. With a signal
   * nobody waits for it: it rests between its pieces, and ends when it is told to.
   */
  take(stopped?: AbortSignal): Promise<CheckpointRound> {
    return this.db.transaction(async (tx) => {
      await tx.query('SELECT pg_advisory_xact_lock($1)', [CHECKPOINT_LOCK]);
      return this.#round(tx, stopped);
    });
  }

  /** Whether the log has grown since a serving unit signed. */
  async due(): Promise<boolean> {
    const { size } = await this.audit.head();
    return this.#serving().some((id) => {
      const observation = this.fleet.link(id).observation;
      const mark = observation?.kind === 'facts' ? observation.facts.audit : null;
      return mark === null || mark === 'unreadable' || mark.size !== size;
    });
  }

  /** The newest checkpoint of each unit that is in use, under its present claim. */
  newest(): Promise<AuditCheckpoint[]> {
    return this.db.manager
      .createQueryBuilder(AuditCheckpoint, 'checkpoint')
      .distinctOn(['checkpoint.unitId'])
      .innerJoin(
        CryptoUnit,
        'unit',
        'unit.id = checkpoint.unitId AND unit.retiredAt IS NULL AND unit.claimedEpoch = checkpoint.epoch',
      )
      .orderBy('checkpoint.unitId')
      .addOrderBy('checkpoint.at', 'DESC')
      .getMany();
  }

  #serving(): string[] {
    return this.fleet
      .instances()
      .flatMap((instance) => this.fleet.views(instance.id))
      .filter(({ serving }) => serving)
      .map(({ id }) => id);
  }

  /** The units that are equally far go on together, so that the lines are read once for all of them. */
  async #round(tx: EntityManager, stopped: AbortSignal | undefined): Promise<CheckpointRound> {
    const goal = await this.audit.head();
    const marks = new Map<string, AuditMark>();
    const signed: AuditCheckpoint[] = [];
    const failed: { unitId: string; message: string }[] = [];
    let problem: string | null = null;
    const each = (unitIds: readonly string[], work: (unitId: string) => Promise<void>) =>
      Promise.all(
        unitIds.map((unitId) =>
          work(unitId).catch((cause: unknown) => {
            if (cause instanceof KeysteadError && cause.code === 'AUDIT_TAMPERED') problem = cause.message;
            failed.push({ unitId, message: messageOf(cause) });
            marks.delete(unitId);
          }),
        ),
      );
    await each(this.#serving(), async (unitId) => {
      marks.set(unitId, await this.#lastOf(unitId, goal));
    });
    while (marks.size > 0 && !stopped?.aborted) {
      const { unitIds, from, end } = hindmost(marks, goal);
      const read = () => this.#stretch(from, end);
      const stretch = stopped === undefined ? read() : unhurried(read, REST);
      await each(unitIds, async (unitId) => {
        const { lines, to } = await stretch;
        const unit = await this.#crypto(unitId);
        if (to.size < goal.size) {
          await follow(unit, from, lines, to);
          marks.set(unitId, to);
          return;
        }
        signed.push(this.#checkpoint(unitId, await unit.signCheckpoint(from, lines), to));
        marks.delete(unitId);
      });
    }
    if (signed.length > 0) await tx.insert(AuditCheckpoint, signed);
    this.problem = problem;
    return { signed, failed };
  }

  async #crypto(unitId: string): Promise<CryptoClient> {
    return this.fleet.link(unitId).crypto(await this.fleet.kmsUser(this.fleet.unit(unitId).instanceId));
  }

  /** The unit's word as it is stored. UNIT_FAULT when it is about another place than the one that was asked for. */
  #checkpoint(unitId: string, document: string, asked: AuditMark): AuditCheckpoint {
    const { instanceId, receiptKey } = this.fleet.unit(unitId);
    needs(receiptKey, 'UNIT_STATE', `crypto unit ${unitId} has no receipt key yet`);
    const told = readCheckpoint(document, receiptKey);
    const { size, root, at, epoch } = told;
    needs(
      isSameMark(told, asked),
      'UNIT_FAULT',
      `crypto unit ${unitId} signed another checkpoint than it was asked for`,
    );
    this.fleet.link(unitId).probeSoon(); // what it signed is a fact of the unit now
    return {
      id: randomUUID(),
      unitId,
      instanceId,
      epoch,
      size: String(size),
      root: Buffer.from(root, 'hex'),
      at: new Date(at),
      document,
      receiptKey,
    };
  }

  /** Where the unit's lines begin: its last checkpoint, asked now, or the end of the log when it has none. */
  async #lastOf(unitId: string, goal: LogHead): Promise<AuditMark> {
    const { facts } = await (await this.fleet.link(unitId).admin()).facts({});
    if (facts.audit === null) return { size: goal.size, root: goal.root.toString('hex') };
    const held = facts.audit !== 'unreadable' && (await this.audit.rootAt(facts.audit.size))?.toString('hex');
    if (facts.audit !== 'unreadable' && held === facts.audit.root) return facts.audit;
    throw new KeysteadError('DATABASE_ROLLED_BACK', `the log does not hold the last checkpoint of unit ${unitId}`);
  }

  /** What the hashes of the next lines cover, checked against the hashes that are stored, and the place after them. */
  async #stretch(from: AuditMark, end: number): Promise<{ lines: Buffer[]; to: AuditMark }> {
    const limit = Math.min(MOST_LINES, end - from.size);
    const page = limit > 0 ? await this.audit.after(from.size, limit) : [];
    const lines: Buffer[] = [];
    let { size, root } = { size: from.size, root: Buffer.from(from.root, 'hex') as Buffer };
    let bytes = 0;
    for (const line of page) {
      const covered = coveredBytes(line);
      if (bytes > 0 && bytes + covered.length > MOST_BYTES) break;
      const hash = linkHash(covered, root);
      const whole = line.seq === String(size + 1) && hash.equals(line.hash);
      needs(whole, 'AUDIT_TAMPERED', `line ${size + 1} of the audit log was changed or removed; see kp audit verify`);
      [size, root, bytes] = [size + 1, hash, bytes + covered.length];
      lines.push(covered);
    }
    const ended = lines.length > 0 || limit <= 0;
    needs(ended, 'AUDIT_TAMPERED', `the audit log ended before line ${from.size + 1} while it was read`);
    return { lines, to: { size, root: root.toString('hex') } };
  }
}

/** The units that are the least far, and where they catch up with the others or have reached the goal. */
function hindmost(marks: ReadonlyMap<string, AuditMark>, goal: LogHead) {
  const [from] = [...marks.values()].sort((a, b) => a.size - b.size) as [AuditMark];
  const ahead = [...marks.values()].map(({ size }) => size).filter((size) => size > from.size);
  const unitIds = [...marks].filter(([, mark]) => isSameMark(mark, from)).map(([id]) => id);
  return { unitIds, from, end: Math.min(goal.size, ...ahead) };
}

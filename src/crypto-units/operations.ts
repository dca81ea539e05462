import { setTimeout as after } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { Logger } from 'pino';
import { DataSource, type EntityManager } from 'typeorm';
import { readReceipt } from '../admins/receipt.js';
import { AuditLog } from '../audit/audit-log.js';
import { LOG } from '../config/log.js';
import { type ErrorCode, KeysteadError, messageOf } from '../shared/errors.js';
import type { Refusal } from '../unit-agent/protocol.js';
import { Fleet } from './fleet.js';
import type { Observation } from './observation.js';
import { Operation, OperationUnit } from './operation.entity.js';
import { assertSamePlan, type OperationPlan } from './operation-plan.js';
import { Preconditions } from './preconditions.js';

export interface OperationView {
  readonly id: string;
  readonly op: Operation['op'];
  readonly instanceId: string;
  readonly units: readonly {
    readonly id: string;
    readonly outcome: OperationUnit['outcome'];
    readonly receipt: string | null;
    readonly error: Refusal | null;
  }[];
}

/** A unit whose agent was killed is back within this time, and then knows whether it finished the act. */
const UNREACHABLE_PATIENCE_MS = 10_000;
const RETRY_PAUSE_MS = 200;

/**
 * Acts of administrators on one or several units.
 * 1. The operation, a pending row per unit and an audit line with the whole documents are durable before any unit hears of it.
 * 2. Every unit is asked on its own; what it answered is durable, with an audit line, before the caller is answered.
 * 3. Units answer the same plan twice with the same receipt, so an operation can be resumed after any crash: rows still
 *    pending when the server starts are sent again.
 */
@Injectable()
export class Operations {
  readonly #running = new Map<string, Promise<void>>();

  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
    private readonly fleet: Fleet,
    private readonly preconditions: Preconditions,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  /** Carries the plan out on all its units that are not done, and returns every unit's outcome. PLAN_REUSED for another plan under a known id. */
  async carryOut(plan: OperationPlan): Promise<OperationView> {
    const running = this.#running.get(plan.id) ?? this.#begin(plan);
    await running;
    return this.#checkedView(plan);
  }

  /** Sends what was pending when the server ended. Units that cannot be reached now stay pending. */
  async resume(): Promise<void> {
    const rows = await this.db.manager.findBy(OperationUnit, { outcome: 'pending' });
    for (const id of new Set(rows.map((row) => row.operationId))) {
      if (this.#running.has(id)) continue;
      const operation = await this.db.manager.findOneByOrFail(Operation, { id });
      this.log.info({ event: 'operation-resume', operation: id, op: operation.op });
      await this.#track(id, this.#runUnits(operation, isPending));
    }
  }

  /** The operation as it stands. OPERATION_NOT_FOUND for an id that is not one. */
  async view(id: string): Promise<OperationView> {
    const operation = await this.db.manager.findOneBy(Operation, { id });
    if (operation === null) throw new KeysteadError('OPERATION_NOT_FOUND', `there is no operation ${id}`);
    const units = await this.db.manager.find(OperationUnit, { where: { operationId: id }, order: { unitId: 'ASC' } });
    return {
      id,
      op: operation.op,
      instanceId: operation.instanceId,
      units: units.map((row) => ({
        id: row.unitId,
        outcome: row.outcome,
        receipt: row.receipt,
        error: row.errorCode && { code: row.errorCode, message: row.errorMessage ?? '' },
      })),
    };
  }

  #begin(plan: OperationPlan): Promise<void> {
    return this.#track(
      plan.id,
      this.#record(plan).then((operation) => this.#runUnits(operation, isUnanswered)),
    );
  }

  #track(id: string, work: Promise<void>): Promise<void> {
    const tracked = work.finally(() => this.#running.delete(id));
    this.#running.set(id, tracked);
    return tracked;
  }

  async #checkedView(plan: OperationPlan): Promise<OperationView> {
    const known = await this.db.manager.findOneByOrFail(Operation, { id: plan.id });
    await assertSamePlan(this.db.manager, known, plan);
    return this.view(plan.id);
  }

  /** The operation's rows, made now or found: a plan that was sent before is only resumed. */
  async #record(plan: OperationPlan): Promise<Operation> {
    return this.db.transaction(async (tx) => {
      await tx.query('SELECT pg_advisory_xact_lock(hashtext($1))', [`keystead/operation/${plan.id}`]);
      const known = await tx.findOneBy(Operation, { id: plan.id });
      if (known !== null) {
        const rows = await assertSamePlan(tx, known, plan);
        if (rows.some(isUnanswered)) await this.preconditions.check(tx, plan); // much may have changed since it failed
        return known;
      }
      await this.preconditions.check(tx, plan);
      return this.#insert(tx, plan);
    });
  }

  async #insert(tx: EntityManager, plan: OperationPlan): Promise<Operation> {
    const { id, op, instanceId, by } = plan;
    const operation = { id, op, instanceId, by, documents: [...plan.documents], createdAt: new Date() };
    await tx.insert(Operation, operation);
    await tx.insert(
      OperationUnit,
      plan.units.map((unit) => ({
        operationId: id,
        unitId: unit.id,
        document: unit.document,
        outcome: 'pending' as const,
        receipt: null,
        errorCode: null,
        errorMessage: null,
        finishedAt: null,
      })),
    );
    await this.audit.append(tx, {
      act: `crypto-unit.${op}.requested`,
      outcome: 'success',
      by,
      instanceId,
      target: id,
      detail: { documents: plan.documents, units: plan.units.map((unit) => unit.id) },
    });
    return operation;
  }

  async #runUnits(operation: Operation, which: (row: OperationUnit) => boolean): Promise<void> {
    const rows = await this.db.manager.findBy(OperationUnit, { operationId: operation.id });
    await Promise.all(rows.filter(which).map((row) => this.#runUnit(operation, row)));
  }

  async #runUnit(operation: Operation, row: OperationUnit): Promise<void> {
    const result = await this.#askUnit(operation, row);
    row.outcome = result.error === null ? 'ok' : 'failed';
    row.receipt = result.receipt;
    row.errorCode = result.error?.code ?? null;
    row.errorMessage = result.error?.message ?? null;
    row.finishedAt = new Date();
    await this.db.transaction(async (tx) => {
      await tx.save(OperationUnit, row);
      await this.audit.append(tx, {
        act: `crypto-unit.${operation.op}`,
        outcome: result.error === null ? 'success' : 'failure',
        by: operation.by,
        instanceId: operation.instanceId,
        unitId: row.unitId,
        target: operation.id,
        detail: { receipt: result.receipt, ...(result.error !== null && { error: result.error }) },
      });
    });
  }

  async #askUnit(operation: Operation, row: OperationUnit): Promise<{ receipt: string | null; error: Refusal | null }> {
    const patience = Date.now() + UNREACHABLE_PATIENCE_MS;
    for (;;) {
      try {
        this.preconditions.checkUnit(row.unitId, operation.op);
        const receipt = await this.#send(operation, row);
        return { receipt, error: await this.#judge(row.unitId, receipt) };
      } catch (cause) {
        const error = refusalOf(cause);
        if (error.code !== 'UNIT_UNREACHABLE' || Date.now() > patience) return { receipt: null, error };
        await after(RETRY_PAUSE_MS);
      }
    }
  }

  async #send(operation: Operation, row: OperationUnit): Promise<string> {
    const admin = await this.fleet.link(row.unitId).admin();
    const document = operation.documents[row.document] ?? '';
    const { receipt } =
      operation.op === 'claim'
        ? await admin.claim({ plan: operation.id, instance: operation.instanceId, certificate: document })
        : await admin.command(document);
    return receipt;
  }

  /** The receipt's own verdict, once it is known to be the unit's; the unit is looked at again so that its state is true at once. */
  async #judge(unitId: string, receipt: string): Promise<Refusal | null> {
    const before = this.fleet.unit(unitId).receiptKey;
    const observation = await this.fleet.link(unitId).probe();
    const spki =
      before ??
      (observation.kind === 'facts' && observation.facts.receiptKey !== null
        ? Buffer.from(observation.facts.receiptKey.spki, 'base64url')
        : null);
    if (spki === null) {
      if (this.#sawZeroized(unitId, observation, receipt)) return null;
      throw new KeysteadError('UNIT_UNREACHABLE', `crypto unit ${unitId} did not show its receipt key`);
    }
    const { outcome, error } = readReceipt(receipt, spki);
    return outcome === 'ok' ? null : (error ?? { code: 'UNIT_FAULT', message: 'refused without a reason' });
  }

  /** Whether the prober was first to hear of a zeroize: it cleared the unit's marks after it verified this same receipt. */
  #sawZeroized(unitId: string, observation: Observation, receipt: string): boolean {
    const cleared = this.fleet.unit(unitId).claimedEpoch === null;
    return cleared && observation.kind === 'facts' && observation.facts.zeroized?.receipt === receipt;
  }
}

function refusalOf(cause: unknown): { code: ErrorCode; message: string } {
  return cause instanceof KeysteadError
    ? { code: cause.code, message: cause.message }
    : { code: 'INTERNAL', message: messageOf(cause) };
}

/** What was left when a server ended. A row that failed meanwhile was told to the caller: only he has it sent again. */
function isPending({ outcome }: OperationUnit): boolean {
  return outcome === 'pending';
}

/** A receipt is the unit's last word on a plan, also when it refuses. */
function isUnanswered({ outcome, receipt }: OperationUnit): boolean {
  return outcome !== 'ok' && receipt === null;
}

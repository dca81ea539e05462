import { Inject, Injectable } from '@nestjs/common';
import type { Logger } from 'pino';
import { DataSource, type EntityManager } from 'typeorm';
import type { Initiator } from '../audit/audit-entry.js';
import { AuditLog } from '../audit/audit-log.js';
import { LOG } from '../config/log.js';
import { KeysteadError } from '../shared/errors.js';
import type { Refusal } from '../unit-agent/protocol.js';
import { Fleet } from './fleet.js';
import { isPending, isUnanswered, Operation, OperationUnit } from './operation.entity.js';
import { assertSamePlan, type OperationPlan } from './operation-plan.js';
import { Preconditions } from './preconditions.js';
import { UnitRelay } from './unit-relay.js';
import { UnitTurns } from './unit-turns.js';

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
  #recorded: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
    private readonly fleet: Fleet,
    private readonly preconditions: Preconditions,
    private readonly turns: UnitTurns,
    private readonly relay: UnitRelay,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  /** Carries the plan out on all its units that are not done, and returns every unit's outcome. PLAN_REUSED for another plan under a known id. */
  async carryOut(plan: OperationPlan): Promise<OperationView> {
    await this.fleet.catchUp(); // what was done through another server counts
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
      await this.#track(id, this.#runUnits(operation, { name: operation.by }, isPending, 'unlessBusy'));
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
      this.#record(plan).then((operation) => this.#runUnits(operation, plan.by, isUnanswered)),
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

  /**
   * The operation's rows, made now or found: a plan that was sent before is only resumed. One at a time here: while it
   * waits for the instance's lock it holds a connection, and whoever has the lock needs one more.
   */
  #record(plan: OperationPlan): Promise<Operation> {
    const recorded = this.#recorded.then(() => this.#recordNow(plan));
    this.#recorded = recorded.catch(() => undefined); // the one who asked hears of it
    return recorded;
  }

  async #recordNow(plan: OperationPlan): Promise<Operation> {
    return this.db.transaction(async (tx) => {
      await tx.query('SELECT pg_advisory_xact_lock(hashtext($1))', [`keystead/operation/${plan.id}`]);
      const known = await tx.findOneBy(Operation, { id: plan.id });
      if (known !== null) {
        const rows = await assertSamePlan(tx, known, plan);
        if (!rows.some(isUnanswered)) return known;
        await this.preconditions.check(tx, plan); // much may have changed since it failed
        return this.#sendAgain(tx, known, plan);
      }
      await this.preconditions.check(tx, plan);
      return this.#insert(tx, plan);
    });
  }

  /** The documents that go to the units now: the same payloads, perhaps with signatures that were missing. */
  async #sendAgain(tx: EntityManager, known: Operation, plan: OperationPlan): Promise<Operation> {
    if (known.documents.every((text, index) => text === plan.documents[index])) return known;
    await this.#auditRequest(tx, plan);
    return tx.save(Operation, { ...known, documents: [...plan.documents] });
  }

  async #insert(tx: EntityManager, plan: OperationPlan): Promise<Operation> {
    const { id, op, instanceId, by } = plan;
    const operation = { id, op, instanceId, by: by.name, documents: [...plan.documents], createdAt: new Date() };
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
    await this.#auditRequest(tx, plan);
    return operation;
  }

  async #auditRequest(tx: EntityManager, { id, op, instanceId, by, documents, units }: OperationPlan): Promise<void> {
    await this.audit.append(tx, {
      act: `crypto-unit.${op}.requested`,
      outcome: 'success',
      by,
      instanceId,
      target: id,
      detail: { documents, units: units.map((unit) => unit.id) },
    });
  }

  /** One act at a time on a unit, whichever server does it; a server that resumes leaves alone what another one does. */
  async #runUnits(
    operation: Operation,
    by: Initiator,
    which: (row: OperationUnit) => boolean,
    turn: 'wait' | 'unlessBusy' = 'wait',
  ): Promise<void> {
    const rows = await this.db.manager.findBy(OperationUnit, { operationId: operation.id });
    const run = ({ unitId }: OperationUnit) =>
      this.turns[turn](unitId, async (tx) => {
        const row = await tx.findOneByOrFail(OperationUnit, { operationId: operation.id, unitId });
        if (which(row)) await this.#runUnit(tx, operation, by, row); // else another server was first
      });
    await Promise.all(rows.filter(which).map(run));
  }

  async #runUnit(tx: EntityManager, operation: Operation, by: Initiator, row: OperationUnit): Promise<void> {
    const { id, op, instanceId } = operation;
    const { receipt, error } = await this.relay.ask(operation, row);
    row.outcome = error === null ? 'ok' : 'failed';
    row.receipt = receipt;
    row.errorCode = error?.code ?? null;
    row.errorMessage = error?.message ?? null;
    row.finishedAt = new Date();
    await tx.save(OperationUnit, row);
    await this.audit.append(tx, {
      act: `crypto-unit.${op}`,
      outcome: error === null ? 'success' : 'failure',
      by,
      instanceId,
      unitId: row.unitId,
      target: id,
      detail: { receipt, ...(error !== null && { error }) },
    });
  }
}

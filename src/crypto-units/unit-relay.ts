import { setTimeout as after } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { readReceipt } from '../admins/receipt.js';
import { type ErrorCode, KeysteadError, messageOf } from '../shared/errors.js';
import type { Refusal } from '../unit-agent/protocol.js';
import { Fleet } from './fleet.js';
import type { Observation } from './observation.js';
import type { Operation, OperationUnit } from './operation.entity.js';
import { Preconditions } from './preconditions.js';

/** A unit whose agent was killed is back within this time, and then knows whether it finished the act. */
const UNREACHABLE_PATIENCE_MS = 10_000;
const RETRY_PAUSE_MS = 200;

/** What came of an act on one unit. `receipt` is the unit's own word; without one nothing is known but `error`. */
export interface UnitAnswer {
  readonly receipt: string | null;
  readonly error: Refusal | null;
}

/** Relays one act of administrators to one unit, and judges what the unit answers. */
@Injectable()
export class UnitRelay {
  constructor(
    private readonly fleet: Fleet,
    private readonly preconditions: Preconditions,
  ) {}

  /** The unit's receipt and its verdict, or why there is none; an agent that is being started again gets time for it. */
  async ask(operation: Operation, row: OperationUnit): Promise<UnitAnswer> {
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

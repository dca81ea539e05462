import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { readAdminKey } from '../admins/public-key.js';
import { parseCommand } from '../admins/signed-command.js';
import { Instance } from '../instances/instance.entity.js';
import { noInstance } from '../instances/read-instances.query.js';
import { KeysteadError } from '../shared/errors.js';
import { assertAllowed, type UnitAct } from '../shared/unit-state.js';
import { FIRST_ADMIN } from '../unit-agent/protocol.js';
import { Fleet } from './fleet.js';
import { Operation, OperationUnit } from './operation.entity.js';
import type { OperationPlan } from './operation-plan.js';

/** How many keys an instance has, in any state but purged. The keys folder binds it. */
export abstract class KeyCensus {
  abstract count(tx: EntityManager, instanceId: string): Promise<number>;
}

/**
 * What only the server can know before an act: siblings, keys, the pinned master key. The unit's own rules (signatures,
 * counters, states) are checked by the unit; nothing here stands in for them.
 */
@Injectable()
export class Preconditions {
  constructor(
    private readonly fleet: Fleet,
    private readonly keys: KeyCensus,
  ) {}

  /**
   * Throws unless the plan may begin. Holds the instance's row lock to the end of the transaction, in which the plan's
   * rows are written: of two plans that exclude each other the second sees the first, finished or on its way.
   */
  async check(tx: EntityManager, plan: OperationPlan): Promise<void> {
    if (this.fleet.instance(plan.instanceId) === undefined) throw noInstance(plan.instanceId); // any text may stand there
    const instance = await tx.findOne(Instance, {
      where: { id: plan.instanceId },
      lock: { mode: 'pessimistic_write' },
    });
    if (instance === null || instance.deletedAt !== null) throw noInstance(plan.instanceId);
    await this.fleet.catchUp(); // of what another server finished before the lock was ours, too
    for (const { id } of plan.units) {
      if (this.fleet.unit(id).instanceId !== instance.id) {
        throw new KeysteadError('UNIT_NOT_FOUND', `crypto unit ${id} does not belong to instance ${instance.id}`);
      }
    }
    if (plan.op === 'claim') await this.#sameAdmin(tx, plan);
    if (plan.op === 'mk.import') await this.#pin(tx, instance, plan);
    if (plan.op === 'user.add') await this.#ourKmsUser(plan);
    if (plan.op === 'zeroize') await this.#keysStayReadable(tx, plan);
  }

  /** Throws when this unit cannot take part now: in maintenance, lost, or its token is not fit to be a unit. */
  checkUnit(unitId: string, act: UnitAct): void {
    const { maintenance, capabilities } = this.fleet.unit(unitId);
    if (maintenance) assertAllowed(act, 'maintenance');
    if (act === 'claim') this.#assertNotLost(unitId);
    if (act === 'claim' && capabilities !== null && capabilities.missing.length > 0) {
      throw new KeysteadError(
        'TOKEN_UNSUITABLE',
        `the token of crypto unit ${unitId} cannot do ${capabilities.missing.join(', ')}; use another token`,
      );
    }
  }

  /** The agent may not know: a claimed unit whose directory was emptied looks like a new one there. */
  #assertNotLost(unitId: string): void {
    const lost = this.fleet.view(unitId).conditions.find(({ reason }) => reason === 'TokenLost');
    if (lost !== undefined) throw new KeysteadError('TOKEN_LOST', lost.message);
  }

  /** All units of an instance have the same first administrator, claims on their way included. */
  async #sameAdmin(tx: EntityManager, plan: OperationPlan): Promise<void> {
    const { kid } = readAdminKey(plan.documents[0] ?? '');
    const installed = this.fleet
      .views(plan.instanceId)
      .map((view) => view.record?.admins.find(({ name }) => name === FIRST_ADMIN)?.kid);
    const claims = (await onTheirWay(tx, plan)).map(({ documents }) => readAdminKey(documents[0] ?? '').kid);
    const others = [...installed, ...claims];
    const other = others.find((found) => found !== undefined && found !== kid);
    if (other === undefined) return;
    throw new KeysteadError(
      'ADMIN_MISMATCH',
      `a unit of this instance is claimed with the credential ${other}; claim all units of an instance with the same one`,
    );
  }

  /** An instance has one master key. The first import pins its MKVP; the pin moves only while no unit and no key depends on it. */
  async #pin(tx: EntityManager, instance: Instance, plan: OperationPlan): Promise<void> {
    const values = new Set(argsOf(plan).map((args) => String(args['mkvp'])));
    const [mkvp] = values;
    if (values.size !== 1 || mkvp === undefined) {
      throw new KeysteadError('MASTER_KEY_MISMATCH', 'the documents of one import carry different master keys');
    }
    if (instance.mkvp === mkvp) return;
    const held = this.fleet.views(instance.id).some((view) => view.record?.masterKey != null);
    const coming = (await onTheirWay(tx, plan)).length > 0;
    if (instance.mkvp !== null && (held || coming || (await this.keys.count(tx, instance.id)) > 0)) {
      throw new KeysteadError(
        'MASTER_KEY_MISMATCH',
        `the instance has the master key with check value ${instance.mkvp} and these shares give ${mkvp}; import shares of the instance's own master key`,
      );
    }
    await tx.update(Instance, { id: instance.id }, { mkvp });
  }

  /** Enrolling any other identity as kmsCryptoUser would lock this service out of the unit. */
  async #ourKmsUser(plan: OperationPlan): Promise<void> {
    for (const args of argsOf(plan)) {
      if (args['type'] !== 'kmsCryptoUser') continue;
      const ours = await this.fleet.kmsUser(plan.instanceId);
      if (readAdminKey(String(args['publicKey'])).kid !== ours.fingerprint) {
        throw new KeysteadError(
          'BAD_REQUEST',
          `the kmsCryptoUser key is not the one of this service (${ours.fingerprint}); sign again with the key of GET /api/v1/cryptouser/metadata`,
        );
      }
    }
  }

  async #keysStayReadable(tx: EntityManager, plan: OperationPlan): Promise<void> {
    if (argsOf(plan).every((args) => args['force'] === true)) return;
    const others = (await onTheirWay(tx, plan)).flatMap(({ units }) => units);
    const going = new Set([...plan.units.map(({ id }) => id), ...others]);
    const serving = this.fleet.views(plan.instanceId).filter((view) => view.serving);
    const lastGoes = serving.some((view) => going.has(view.id)) && serving.every((view) => going.has(view.id));
    if (!lastGoes) return;
    const keys = await this.keys.count(tx, plan.instanceId);
    if (keys === 0) return;
    throw new KeysteadError(
      'KEYS_EXIST',
      `this is the last serving unit and the instance has ${keys} key(s), which no unit could use afterwards; delete the keys first, or say --force`,
    );
  }
}

interface Begun {
  readonly documents: readonly string[];
  /** Those that are not done yet. */
  readonly units: readonly string[];
}

/** The instance's other operations of the same kind that were begun and are not done on every unit. */
function onTheirWay(tx: EntityManager, { id, op, instanceId }: OperationPlan): Promise<Begun[]> {
  return tx
    .createQueryBuilder(Operation, 'operation')
    .innerJoin(OperationUnit, 'row', 'row.operationId = operation.id')
    .select('operation.documents', 'documents')
    .addSelect('array_agg(row.unitId)', 'units')
    .where(`operation.instanceId = :instanceId AND operation.op = :op AND operation.id <> :id`, { id, op, instanceId })
    .andWhere(`row.outcome = 'pending'`)
    .groupBy('operation.id')
    .getRawMany<Begun>();
}

function argsOf(plan: OperationPlan): Record<string, unknown>[] {
  return plan.documents.map((document) => parseCommand(document).payload.args);
}

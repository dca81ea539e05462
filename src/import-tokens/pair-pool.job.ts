import { randomUUID } from 'node:crypto';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { Logger } from 'pino';
import { DataSource, type EntityManager, IsNull } from 'typeorm';
import { Config } from '../config/config.js';
import { LOG } from '../config/log.js';
import { Fleet } from '../crypto-units/fleet.js';
import { UnitPicker } from '../crypto-units/unit-picker.js';
import { messageOf } from '../shared/errors.js';
import { ImportPair } from './import-token.entity.js';
import { PAIR_ALGORITHMS, type PairAlgorithm, pairRow } from './pair-row.js';

const EVERY_MS = 2_000;

/**
 * Keeps RSA pairs ready for each instance that has a serving unit, since making one takes up to seconds. Several servers may
 * make one too many; that is harmless.
 */
@Injectable()
export class PairPool implements OnApplicationBootstrap, OnApplicationShutdown {
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;
  #stopping = false;

  constructor(
    private readonly db: DataSource,
    private readonly fleet: Fleet,
    private readonly units: UnitPicker,
    private readonly config: Config,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.#timer = setInterval(() => this.fillSoon(), EVERY_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#timer);
    await this.#round;
  }

  /** Begins a round now, unless one is under way. */
  fillSoon(): void {
    if (this.#stopping) return;
    this.#round ??= this.#fill()
      .catch((cause) => this.log.warn({ event: 'import-pairs-not-made', cause: messageOf(cause) }))
      .finally(() => {
        this.#round = undefined;
      });
  }

  /** A pair, out of the pool while it has one, else made now; its row is locked and marked as taken. */
  async take(tx: EntityManager, instanceId: string, algorithm: PairAlgorithm): Promise<ImportPair> {
    for (;;) {
      const ready = await tx.findOne(ImportPair, {
        where: { instanceId, algorithm, takenAt: IsNull() },
        order: { createdAt: 'ASC' },
        lock: { mode: 'pessimistic_write', onLocked: 'skip_locked' },
      });
      const pair = ready ?? (await this.make(instanceId, algorithm));
      if (ready === null) await tx.insert(ImportPair, pair);
      const { result } = await this.units.use(instanceId, (unit) =>
        unit.checkRows([{ row: pairRow(pair), blob: pair.blob, mac: pair.mac }]),
      );
      if (result[0] === true) {
        await tx.update(ImportPair, { id: pair.id }, { takenAt: new Date() });
        return pair;
      }
      await tx.delete(ImportPair, { id: pair.id }); // of another master key, or changed behind our back
    }
  }

  /** A new pair, not stored yet. */
  async make(instanceId: string, algorithm: PairAlgorithm): Promise<ImportPair> {
    const id = randomUUID();
    const plan = { id, instanceId, algorithm };
    const { result } = await this.units.use(instanceId, (unit) => unit.generateImportPair(pairRow(plan)));
    return { ...plan, blob: result.blob, mac: result.mac, createdAt: new Date(), takenAt: null };
  }

  async #fill(): Promise<void> {
    for (const { id } of this.fleet.instances()) {
      if (this.units.serving(id).length === 0) continue;
      for (const algorithm of PAIR_ALGORITHMS) await this.#fillWith(id, algorithm);
    }
  }

  async #fillWith(instanceId: string, algorithm: PairAlgorithm): Promise<void> {
    const ready = await this.db.manager.countBy(ImportPair, { instanceId, algorithm, takenAt: IsNull() });
    for (let missing = this.config.limits.importPairPool - ready; missing > 0 && !this.#stopping; missing -= 1) {
      await this.db.manager.insert(ImportPair, await this.make(instanceId, algorithm));
    }
  }
}

import { randomUUID } from 'node:crypto';
import { setTimeout as after } from 'node:timers/promises';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { Logger } from 'pino';
import { DataSource, type EntityManager, IsNull } from 'typeorm';
import { Config } from '../config/config.js';
import { LOG } from '../config/log.js';
import { Fleet } from '../crypto-units/fleet.js';
import { UnitPicker } from '../crypto-units/unit-picker.js';
import { messageOf, RateLimitError } from '../shared/errors.js';
import { ImportPair } from './import-token.entity.js';
import { PAIR_ALGORITHMS, type PairAlgorithm, pairRow } from './pair-row.js';

const EVERY_MS = 2_000;
/** A unit makes a pair in seconds: whoever came after so many would wait longer than clients do. */
const MOST_WAITING = 8;
const RETRY_AFTER_S = 2;

/**
 * Keeps RSA pairs of each kind ready for each instance that has a serving unit, since making one takes up to seconds. They
 * are made one after another, with pauses, so that the units' threads stay free for clients; whoever finds none ready has
 * one made at once. Several servers may make one too many; that is harmless.
 */
@Injectable()
export class PairPool implements OnApplicationBootstrap, OnApplicationShutdown {
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;
  readonly #stop = new AbortController();
  /** The pairs that are being made, by instance and kind, for all who wait for one. */
  readonly #making = new Map<string, Promise<void>>();
  /** How many wait for pairs, by instance and kind. */
  readonly #waiting = new Map<string, number>();

  constructor(
    private readonly db: DataSource,
    private readonly fleet: Fleet,
    private readonly units: UnitPicker,
    private readonly config: Config,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  /** How many pairs were ready when this server last looked, which it does every two seconds while a unit serves. */
  readonly ready = new Map<
    string,
    { readonly instanceId: string; readonly algorithm: PairAlgorithm; readonly pairs: number }
  >();

  onApplicationBootstrap(): void {
    this.#timer = setInterval(() => this.fillSoon(), EVERY_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    this.#stop.abort();
    clearInterval(this.#timer);
    await this.#round;
  }

  /** Begins a round now, unless one is under way. */
  fillSoon(): void {
    if (this.#stop.signal.aborted) return;
    this.#round ??= this.#fill()
      .catch((cause) => this.log.warn({ event: 'import-pairs-not-made', cause: messageOf(cause) }))
      .finally(() => {
        this.#round = undefined;
      });
  }

  /**
   * Does the work in a transaction that takes a pair out of the pool. When there is none, or others have taken it, one is
   * made, outside of the transaction: that may take seconds. RATE_LIMITED when too many wait for that already.
   */
  async withPair<T>(
    instanceId: string,
    algorithm: PairAlgorithm,
    work: (tx: EntityManager, pair: ImportPair) => Promise<T>,
  ): Promise<T> {
    const once = async () => {
      const done = await this.db.transaction(async (tx) => {
        const pair = await this.#take(tx, instanceId, algorithm);
        return pair && { answer: await work(tx, pair) };
      });
      if (done !== null) this.fillSoon();
      return done;
    };
    const ready = await once();
    if (ready !== null) return ready.answer;
    return this.#inLine(`${instanceId} ${algorithm}`, async () => {
      for (;;) {
        await this.#makeOne(instanceId, algorithm);
        const done = await once();
        if (done !== null) return done.answer;
      }
    });
  }

  async #inLine<T>(what: string, work: () => Promise<T>): Promise<T> {
    const before = this.#waiting.get(what) ?? 0;
    if (before >= MOST_WAITING) {
      const message = `too many wait for import pairs, which take a unit seconds each; try again in ${RETRY_AFTER_S} s`;
      throw new RateLimitError(message, RETRY_AFTER_S);
    }
    this.#waiting.set(what, before + 1);
    try {
      return await work();
    } finally {
      this.#waiting.set(what, (this.#waiting.get(what) ?? 1) - 1);
    }
  }

  /** A pair out of the pool, its row locked and marked as taken; null when there is none. */
  async #take(tx: EntityManager, instanceId: string, algorithm: PairAlgorithm): Promise<ImportPair | null> {
    for (;;) {
      const pair = await tx.findOne(ImportPair, {
        where: { instanceId, algorithm, takenAt: IsNull() },
        order: { createdAt: 'ASC' },
        lock: { mode: 'pessimistic_write', onLocked: 'skip_locked' },
      });
      if (pair === null) return null;
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

  /** Puts one more pair into the pool, or waits for the one that is being made. */
  #makeOne(instanceId: string, algorithm: PairAlgorithm): Promise<void> {
    const what = `${instanceId} ${algorithm}`;
    const under = this.#making.get(what);
    if (under !== undefined) return under;
    const making = this.#make(instanceId, algorithm).finally(() => this.#making.delete(what));
    this.#making.set(what, making);
    return making;
  }

  async #make(instanceId: string, algorithm: PairAlgorithm): Promise<void> {
    const plan = { id: randomUUID(), instanceId, algorithm };
    const { result } = await this.units.use(instanceId, (unit) => unit.generateImportPair(pairRow(plan)));
    const { blob, mac } = result;
    await this.db.manager.insert(ImportPair, { ...plan, blob, mac, createdAt: new Date(), takenAt: null });
  }

  async #fill(): Promise<void> {
    const instances = this.fleet.instances();
    for (const [what, { instanceId }] of this.ready) {
      if (!instances.some(({ id }) => id === instanceId)) this.ready.delete(what);
    }
    for (const { id } of instances) {
      for (const algorithm of PAIR_ALGORITHMS) await this.#fillWith(id, algorithm);
    }
  }

  async #fillWith(instanceId: string, algorithm: PairAlgorithm): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted && (await this.#isShort(instanceId, algorithm))) {
      const began = performance.now();
      await this.#makeOne(instanceId, algorithm);
      await after(performance.now() - began, undefined, { signal }).catch(() => undefined); // as long as it took, or stopped
    }
  }

  async #isShort(instanceId: string, algorithm: PairAlgorithm): Promise<boolean> {
    if (this.units.serving(instanceId).length === 0) return false;
    const ready = await this.db.manager.countBy(ImportPair, { instanceId, algorithm, takenAt: IsNull() });
    this.ready.set(`${instanceId} ${algorithm}`, { instanceId, algorithm, pairs: ready });
    return ready < this.config.limits.importPairPool;
  }
}

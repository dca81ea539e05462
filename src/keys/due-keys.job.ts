import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { Logger } from 'pino';
import { DataSource } from 'typeorm';
import { KEYSTEAD } from '../access/caller.js';
import { Config } from '../config/config.js';
import { LOG } from '../config/log.js';
import { onceAmongServers } from '../database/once.js';
import { ParameterIssue } from '../import-tokens/parameter-issue.js';
import { KeysteadError, messageOf } from '../shared/errors.js';
import { ExternalMaterial } from './external-material.js';
import { KeyActs } from './key-acts.js';
import { ACTIVE, DEACTIVATED, SUSPENDED, stateNow } from './key-state.js';
import { KeyStore } from './key-store.js';
import { plus } from './key-timers.js';
import { KeyUnits } from './key-units.js';
import { Purge } from './purge-key.command.js';
import { Rotation } from './rotation.js';
import { authOf, UnsetForDeletion } from './set-for-deletion.command.js';

const PAGE = 100;

interface Target {
  readonly instanceId: string;
  readonly key: string;
}

interface Due {
  /** Selects the due keys; each condition has its index. $1 is the time up to which they are due. */
  readonly condition: string;
  readonly until: (now: Date) => Date;
  readonly act: (target: Target) => Promise<unknown>;
}

/**
 * What time does to keys: expired ones are deactivated, rotation policies rotate, deleted ones are purged in the end,
 * first authorisations lapse, and the material of external keys goes. Each key in a transaction of its own, which looks again whether it is due.
 */
@Injectable()
export class DueKeys implements OnApplicationBootstrap, OnApplicationShutdown {
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;
  #stopping = false;

  constructor(
    private readonly db: DataSource,
    private readonly acts: KeyActs,
    private readonly store: KeyStore,
    private readonly units: KeyUnits,
    private readonly purge: Purge,
    private readonly rotation: Rotation,
    private readonly material: ExternalMaterial,
    private readonly parameters: ParameterIssue,
    private readonly config: Config,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.#timer = setInterval(() => {
      this.#round ??= this.run()
        .catch((cause) => this.log.warn({ event: 'due-keys-not-done', cause: messageOf(cause) }))
        .finally(() => {
          this.#round = undefined;
        });
    }, this.config.timers.dueKeys);
  }

  async onApplicationShutdown(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#timer);
    await this.#round;
  }

  /** One round, unless another server is at it. */
  async run(): Promise<void> {
    await onceAmongServers(this.db, 'due-keys', async () => {
      for (const due of this.#kinds()) await this.#each(due);
      await this.parameters.sweep();
    });
  }

  #kinds(): readonly Due[] {
    const now = (at: Date) => at;
    return [
      {
        condition: `"state" IN (1, 2) AND "expiresAt" IS NOT NULL AND "expiresAt" <= $1`,
        until: now,
        act: (key) => this.#expire(key),
      },
      {
        condition: `"state" = 1 AND "rotationDueAt" IS NOT NULL AND "rotationDueAt" <= $1`,
        until: now,
        act: (key) => this.#rotate(key),
      },
      {
        condition: `"state" = 5 AND "deletedAt" <= $1`,
        until: (at) => plus(at, -this.config.timers.autoPurge),
        act: (key) => this.purge.run(KEYSTEAD, key),
      },
      {
        condition: `"setForDeletionUntil" IS NOT NULL AND "setForDeletionUntil" <= $1`,
        until: now,
        act: (key) => this.#lapse(key),
      },
      {
        condition: `"state" IN (1, 2) AND "materialExpiresAt" IS NOT NULL AND "materialExpiresAt" <= $1`,
        until: now,
        act: (key) => this.#dropMaterial(key),
      },
      {
        condition: `"deletionDueAt" IS NOT NULL AND "deletionDueAt" <= $1`,
        until: now,
        act: (key) => this.purge.runDue(KEYSTEAD, key),
      },
    ];
  }

  /** Every due key once, in the order of ids; one that fails is logged and left for the next round. */
  async #each({ condition, until, act }: Due): Promise<void> {
    let last = '00000000-0000-0000-0000-000000000000';
    for (let more = true; more && !this.#stopping; ) {
      const rows = await this.db.query<{ id: string; instanceId: string }[]>(
        `SELECT "id", "instanceId" FROM "keys" WHERE ${condition} AND "id" > $2 ORDER BY "id" LIMIT ${PAGE}`,
        [until(new Date()), last],
      );
      for (const { id, instanceId } of rows) {
        if (this.#stopping) return;
        last = id;
        await act({ instanceId, key: id }).catch((cause) => this.#report(id, cause));
      }
      more = rows.length === PAGE;
    }
  }

  #report(key: string, cause: unknown): void {
    const code = cause instanceof KeysteadError ? cause.code : undefined;
    if (code === 'KEY_NOT_FOUND' || code === 'KEY_STATE') return; // somebody was quicker
    this.log.warn({ event: 'due-key-not-done', key, code, cause: messageOf(cause) });
  }

  #expire(target: Target): Promise<unknown> {
    return this.acts.run({ by: KEYSTEAD, act: 'kms.secrets.expire' }, target, async (tx, key, now) => {
      const due = [ACTIVE, SUSPENDED].includes(key.state as 1 | 2) && key.expiresAt !== null && key.expiresAt <= now;
      if (!due) throw notDue();
      const changes = { state: DEACTIVATED, changedAt: now, updatedAt: now, rotationDueAt: null } as const;
      const next = await this.units.change(tx, key, changes);
      return { key: next, detail: { initialValue: { keyState: key.state }, newValue: { keyState: next.state } } };
    });
  }

  async #rotate(target: Target): Promise<unknown> {
    const found = await this.store.find(target);
    const check = (key: typeof found, now: Date) => {
      const due = stateNow(key, now) === ACTIVE && key.rotationDueAt !== null && key.rotationDueAt <= now;
      if (!due || key.imported) throw notDue();
    };
    check(found, new Date());
    return this.rotation.run({ by: KEYSTEAD, act: 'kms.secrets.rotate' }, target, { found, material: {}, check });
  }

  #dropMaterial(target: Target): Promise<unknown> {
    return this.acts.run({ by: KEYSTEAD, act: 'kms.key-material.expire' }, target, async (tx, key, now) => {
      const { state, materialExpiresAt } = key;
      const due = (state === ACTIVE || state === SUSPENDED) && materialExpiresAt !== null && materialExpiresAt <= now;
      if (!due) throw notDue();
      const next = await this.material.drop(tx, key, now);
      const detail = { initialValue: { keyState: state, materialExpirationDate: materialExpiresAt } };
      return { key: next, detail: { ...detail, newValue: { keyState: next.state } } };
    });
  }

  #lapse(target: Target): Promise<unknown> {
    return this.acts.run({ by: KEYSTEAD, act: UnsetForDeletion.act }, target, async (tx, key, now) => {
      if (key.setForDeletionUntil === null || key.setForDeletionUntil > now) throw notDue();
      const next = await this.units.change(tx, key, {
        setForDeletionBy: null,
        setForDeletionUntil: null,
        updatedAt: now,
      });
      return { key: next, detail: { initialValue: authOf(key), newValue: authOf(next), lapsed: true } };
    });
  }
}

/** Between the list and the lock somebody changed the key. */
function notDue(): KeysteadError {
  return new KeysteadError('KEY_STATE', 'the key is not due any more');
}

import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Fleet } from '../crypto-units/fleet.js';
import type { UnitView } from '../crypto-units/unit-view.js';
import { Draining } from '../http/draining.js';
import { type HealthFacts, type HealthState, healthState } from './readiness.js';

const CHECK_EVERY_MS = 1_000;
const CHECK_DEADLINE_MS = 1_500;

/**
 * What the health routes answer from. The units are watched by their own prober and the database by a check of its own,
 * so that a health request costs nothing, however many load balancers ask.
 */
@Injectable()
export class HealthBoard implements OnApplicationBootstrap, OnApplicationShutdown {
  #databaseWritable = false;
  #timer: NodeJS.Timeout | undefined;
  #started = false;

  constructor(
    private readonly db: DataSource,
    private readonly fleet: Fleet,
    private readonly draining: Draining,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.#checkDatabase();
    this.#timer = setInterval(() => void this.#checkDatabase(), CHECK_EVERY_MS);
    this.#started = true;
  }

  onApplicationShutdown(): void {
    clearInterval(this.#timer);
  }

  /** Configuration read, migrations done, agents started. */
  get started(): boolean {
    return this.#started;
  }

  facts(): HealthFacts {
    const units = this.#views();
    return {
      databaseWritable: this.#databaseWritable,
      draining: this.draining.begun,
      instances: this.fleet.instances().length,
      units: units.length,
      serving: units.filter((unit) => unit.serving).length,
      quarantined: units.filter(isQuarantined).length,
    };
  }

  state(): HealthState {
    return healthState(this.facts());
  }

  /** The unit, or undefined when there is none of that id. */
  unit(id: string): UnitView | undefined {
    return this.#views().find((unit) => unit.id === id);
  }

  #views(): UnitView[] {
    return this.fleet.instances().flatMap((instance) => this.fleet.views(instance.id));
  }

  /** The audit log is a table of the same database: what may insert there can serve. */
  async #checkDatabase(): Promise<void> {
    let patience: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      patience = setTimeout(() => resolve(false), CHECK_DEADLINE_MS);
    });
    const query = `SELECT NOT pg_is_in_recovery() AND has_table_privilege('audit_lines', 'INSERT') AS "writable"`;
    const answer = this.db.query<{ writable: boolean }[]>(query).then(
      ([row]) => row?.writable === true,
      () => false, // an outage is the answer, and the database module logs it
    );
    this.#databaseWritable = await Promise.race([answer, late]);
    clearTimeout(patience);
  }
}

function isQuarantined(unit: UnitView): boolean {
  return unit.conditions.some(({ type, status }) => type === 'Quarantined' && status === 'True');
}

import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Fleet } from '../crypto-units/fleet.js';
import type { UnitView } from '../crypto-units/unit-view.js';
import { DatabaseWatch } from '../database/database-watch.js';
import { Draining } from '../http/draining.js';
import { type HealthFacts, type HealthState, healthState } from './readiness.js';

/**
 * What the health routes answer from. Units and database are watched in the background, so that a health request
 * costs nothing, however many load balancers ask.
 */
@Injectable()
export class HealthBoard implements OnApplicationBootstrap {
  #started = false;

  constructor(
    private readonly database: DatabaseWatch,
    private readonly fleet: Fleet,
    private readonly draining: Draining,
  ) {}

  onApplicationBootstrap(): void {
    this.#started = true;
  }

  /** Configuration read, migrations done, agents started. */
  get started(): boolean {
    return this.#started;
  }

  facts(): HealthFacts {
    const units = this.#views();
    return {
      databaseWritable: this.database.writable,
      draining: this.draining.begun,
      instances: this.fleet.instances().length,
      units: units.length,
      serving: units.filter((unit) => unit.serving).length,
      quarantined: units.filter(isQuarantined).length,
      oaepFallback: units.filter((unit) => unit.capabilities?.oaepFallback).length,
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
}

function isQuarantined(unit: UnitView): boolean {
  return unit.conditions.some(({ type, status }) => type === 'Quarantined' && status === 'True');
}

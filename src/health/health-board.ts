import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { AuditWatch } from '../audit/audit-watch.js';
import { Fleet } from '../crypto-units/fleet.js';
import type { UnitView } from '../crypto-units/unit-view.js';
import { DatabaseWatch } from '../database/database-watch.js';
import { Draining } from '../http/draining.js';
import { AgentDirectory, type Isolation } from '../instances/agent-directory.js';
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
    private readonly audit: AuditWatch,
    private readonly fleet: Fleet,
    private readonly draining: Draining,
    private readonly agents: AgentDirectory,
  ) {}

  onApplicationBootstrap(): void {
    this.#started = true;
  }

  /** Configuration read, migrations done, agents started. */
  get started(): boolean {
    return this.#started;
  }

  facts(): HealthFacts {
    const units = this.units();
    return {
      databaseWritable: this.database.writable,
      auditWritable: this.audit.writable,
      rolledBack: units.some(isRolledBack),
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

  /** What all agents have at least; without a unit, what the next one would have. */
  get isolation(): Isolation {
    const units = this.units();
    const separate = units.length === 0 ? this.agents.configured : units.every((unit) => unit.isolation === 'separate');
    return separate ? 'separate' : 'process-only';
  }

  /** The unit, or undefined when there is none of that id. */
  unit(id: string): UnitView | undefined {
    return this.units().find((unit) => unit.id === id);
  }

  /** Whether the unit answered its last probe, and the canary in its token held. */
  canary(id: string): boolean {
    const { observation } = this.fleet.link(id);
    return observation?.kind === 'facts' && observation.canary;
  }

  /** Every unit as it is now. */
  units(): UnitView[] {
    return this.fleet.instances().flatMap((instance) => this.fleet.views(instance.id));
  }
}

function isQuarantined(unit: UnitView): boolean {
  return unit.conditions.some(({ type, status }) => type === 'Quarantined' && status === 'True');
}

function isRolledBack(unit: UnitView): boolean {
  return unit.conditions.some(({ reason }) => reason === 'DatabaseRolledBack');
}

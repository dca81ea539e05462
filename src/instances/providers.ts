import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { Config } from '../config/config.js';
import { findSoftHsm } from '../pkcs11/find-module.js';
import { readIfThere, writeDurably } from '../shared/durable-file.js';
import { KeysteadError, messageOf } from '../shared/errors.js';
import { AgentDirectory } from './agent-directory.js';
import type { CryptoUnit } from './crypto-unit.entity.js';
import { askAgents } from './free-agents.js';
import { type StartedUnit, type UnitDescriptor, UnitsFile } from './unit-descriptor.js';

/** What a provider may need to know: where SoftHSM is, and which prepared tokens are there. */
export interface ProviderSettings {
  /** Path of libsofthsm2, or undefined when it is not installed. */
  readonly softHsmModule: string | undefined;
  /** KEYSTEAD_UNITS_FILE: prepared tokens. When it is set, units come from there and from nowhere else. */
  readonly unitsFile: string | undefined;
}

/** A unit that was just taken. An agent that runs by itself knows its id; for others a new one is made. */
export interface TakenUnit {
  readonly id: string;
  readonly descriptor: UnitDescriptor;
}

/** Where this server gets units from. */
@Injectable()
export class ProviderSource {
  #home: string | undefined;

  constructor(
    private readonly config: Config,
    private readonly agents: AgentDirectory,
  ) {}

  /** The id of this data directory, made once: units that live in it are this server's to run. */
  get home(): string {
    const file = join(this.config.dataDir, 'home-id');
    this.#home ??= readIfThere(file)?.toString('utf8').trim();
    if (this.#home === undefined) {
      this.#home = randomUUID();
      writeDurably(file, `${this.#home}\n`);
    }
    return this.#home;
  }

  /**
   * Takes units that are free: not in `taken`, the units of all instances. The agent of `lost` may have a new unit.
   * Errors as for `takeUnits`.
   */
  async take(count: number, taken: readonly CryptoUnit[], lost?: string): Promise<TakenUnit[]> {
    if (this.agents.configured) return this.#takeAgents(count, taken, lost);
    const { softHsmModule = findSoftHsm(), unitsFile } = this.config;
    const descriptors = taken.map(({ descriptor }) => descriptor);
    const units = await takeUnits(count, descriptors, { softHsmModule, unitsFile });
    return units.map((unit) => ({ id: randomUUID(), descriptor: { ...unit, home: this.home } }));
  }

  async #takeAgents(count: number, taken: readonly CryptoUnit[], lost: string | undefined): Promise<TakenUnit[]> {
    const asked = await askAgents(this.agents);
    const free = asked.flatMap(({ name, zone, unitId }) => {
      const known = taken.some(({ id, descriptor }) => id === unitId || (id !== lost && isAgent(descriptor, name)));
      return unitId === undefined || known ? [] : [{ zone, id: unitId, agent: name }];
    });
    if (free.length < count) {
      const others = asked.filter(({ why }) => why !== '').map(({ name, why }) => `${name}: ${why}`);
      throw new KeysteadError(
        'NO_UNIT_AVAILABLE',
        `${this.config.agentsFile} has ${free.length} free agent(s) and ${count} are needed; add agents to it${others.length === 0 ? '' : ` (${others.join('; ')})`}`,
      );
    }
    return spreadOverZones(free)
      .slice(0, count)
      .map(({ id, zone, agent }) => ({ id, descriptor: { provider: 'agent', zone, agent } }));
  }
}

function isAgent(descriptor: UnitDescriptor, name: string): boolean {
  return descriptor.provider === 'agent' && descriptor.agent === name;
}

/**
 * Takes `count` units, each in a zone of its own as far as the provider has zones.
 * Throws NO_UNIT_AVAILABLE when there are not enough that are free, CONFIG_INVALID when the units file is not one.
 */
export async function takeUnits(
  count: number,
  taken: readonly UnitDescriptor[],
  settings: ProviderSettings,
): Promise<StartedUnit[]> {
  if (settings.unitsFile !== undefined) return fromUnitsFile(count, taken, settings.unitsFile);
  const module = settings.softHsmModule;
  if (module === undefined) {
    throw new KeysteadError(
      'NO_UNIT_AVAILABLE',
      'SoftHSM2 is not installed and KEYSTEAD_UNITS_FILE names no prepared tokens; install softhsm2 or set one of them',
    );
  }
  return Array.from({ length: count }, (_, index) => ({
    provider: 'softhsm',
    zone: `zone-${index + 1}`,
    module,
    recordStore: 'token',
  }));
}

async function fromUnitsFile(count: number, taken: readonly UnitDescriptor[], file: string): Promise<StartedUnit[]> {
  const free = (await readUnitsFile(file)).filter((unit) => !taken.some((other) => sameToken(unit, other)));
  if (free.length < count) {
    throw new KeysteadError(
      'NO_UNIT_AVAILABLE',
      `${file} has ${free.length} free unit(s) and ${count} are needed; add prepared tokens to it`,
    );
  }
  return spreadOverZones(free).slice(0, count);
}

async function readUnitsFile(file: string): Promise<StartedUnit[]> {
  try {
    const { units } = UnitsFile.parse(JSON.parse(await readFile(file, 'utf8')));
    return units.map(({ serial, label, parameters, ...unit }) => ({
      provider: 'generic',
      ...unit,
      ...(serial !== undefined && { serial }),
      ...(label !== undefined && { label }),
      ...(parameters !== undefined && { parameters }),
    }));
  } catch (cause) {
    throw new KeysteadError('CONFIG_INVALID', `the units file ${file} cannot be used: ${messageOf(cause)}`, { cause });
  }
}

function sameToken(a: StartedUnit, b: UnitDescriptor): boolean {
  if (b.provider === 'agent' || a.module !== b.module || a.parameters !== b.parameters) return false;
  if (a.serial !== undefined && b.serial !== undefined) return a.serial === b.serial;
  return a.label !== undefined && a.label === b.label;
}

/** One of each zone first, then a second of each, and so on. */
function spreadOverZones<Unit extends { readonly zone: string }>(units: readonly Unit[]): Unit[] {
  const seen = new Map<string, number>();
  return units
    .map((unit) => {
      const round = seen.get(unit.zone) ?? 0;
      seen.set(unit.zone, round + 1);
      return { unit, round };
    })
    .sort((a, b) => a.round - b.round)
    .map(({ unit }) => unit);
}

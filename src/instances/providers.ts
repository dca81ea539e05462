import { readFile } from 'node:fs/promises';
import { Injectable } from '@nestjs/common';
import { Config } from '../config/config.js';
import { findSoftHsm } from '../pkcs11/find-module.js';
import { KeysteadError, messageOf } from '../shared/errors.js';
import { type UnitDescriptor, UnitsFile } from './unit-descriptor.js';

/** What a provider may need to know: where SoftHSM is, and which prepared tokens are there. */
export interface ProviderSettings {
  /** Path of libsofthsm2, or undefined when it is not installed. */
  readonly softHsmModule: string | undefined;
  /** KEYSTEAD_UNITS_FILE: prepared tokens. When it is set, units come from there and from nowhere else. */
  readonly unitsFile: string | undefined;
}

/** The settings as the server was configured. */
@Injectable()
export class ProviderSource {
  constructor(private readonly config: Config) {}

  settings(): ProviderSettings {
    return { softHsmModule: this.config.softHsmModule ?? findSoftHsm(), unitsFile: this.config.unitsFile };
  }
}

/**
 * Takes `count` units, each in a zone of its own as far as the provider has zones.
 * Throws NO_UNIT_AVAILABLE when there are not enough that are free, CONFIG_INVALID when the units file is not one.
 */
export async function takeUnits(
  count: number,
  taken: readonly UnitDescriptor[],
  settings: ProviderSettings,
): Promise<UnitDescriptor[]> {
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

async function fromUnitsFile(count: number, taken: readonly UnitDescriptor[], file: string): Promise<UnitDescriptor[]> {
  const free = (await readUnitsFile(file)).filter((unit) => !taken.some((other) => sameToken(unit, other)));
  if (free.length < count) {
    throw new KeysteadError(
      'NO_UNIT_AVAILABLE',
      `${file} has ${free.length} free unit(s) and ${count} are needed; add prepared tokens to it`,
    );
  }
  return spreadOverZones(free).slice(0, count);
}

async function readUnitsFile(file: string): Promise<UnitDescriptor[]> {
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

function sameToken(a: UnitDescriptor, b: UnitDescriptor): boolean {
  if (a.module !== b.module || a.parameters !== b.parameters) return false;
  if (a.serial !== undefined && b.serial !== undefined) return a.serial === b.serial;
  return a.label !== undefined && a.label === b.label;
}

/** One of each zone first, then a second of each, and so on. */
function spreadOverZones(units: readonly UnitDescriptor[]): UnitDescriptor[] {
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

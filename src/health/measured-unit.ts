import type { Observation } from '../crypto-units/observation.js';
import type { UnitLink } from '../crypto-units/unit-link.js';
import type { UnitView } from '../crypto-units/unit-view.js';
import type { Metric, Sample } from './exposition.js';

/** A unit as health shows it, and what this process holds of it. */
export interface MeasuredUnit {
  readonly view: UnitView;
  readonly link: Pick<UnitLink, 'calls' | 'inFlight' | 'observation'>;
}

type UnitMetric = Metric<{ readonly units: readonly MeasuredUnit[] }>;
type Facts = Extract<Observation, { kind: 'facts' }>;
export const UNIT = ['instance', 'unit'] as const;

export function labelsOf({ id: unit, instanceId: instance }: UnitView) {
  return { instance, unit };
}

export function one(value: number | boolean): Sample[] {
  return [{ value: Number(value) }];
}

/** A gauge of each unit; what `read` gives gets the unit's labels. */
export function perUnit(name: string, help: string, read: (unit: MeasuredUnit) => Sample[]): UnitMetric {
  return {
    name,
    type: 'gauge',
    help,
    labels: UNIT,
    read: ({ units }) =>
      units.flatMap((unit) =>
        read(unit).map(({ labels, value }) => ({ labels: { ...labelsOf(unit.view), ...labels }, value })),
      ),
  };
}

/** The same, of what only grows. */
export function counterPerUnit(name: string, help: string, read: (unit: MeasuredUnit) => Sample[]): UnitMetric {
  return { ...perUnit(name, help, read), type: 'counter' };
}

/** A gauge of each unit and each state, which is 1 for the state that the unit is in. */
export function oneOf(
  name: string,
  help: string,
  states: readonly string[],
  held: (view: UnitView) => string,
): UnitMetric {
  const read = ({ view }: MeasuredUnit) =>
    states.map((state) => ({ labels: { state }, value: Number(state === held(view)) }));
  return { ...perUnit(name, help, read), labels: [...UNIT, 'state'] };
}

/** Nothing for a unit whose last probe had no answer. */
export function ifSeen(read: (seen: Facts) => Sample[]): (unit: MeasuredUnit) => Sample[] {
  return ({ link: { observation } }) => (observation?.kind === 'facts' ? read(observation) : []);
}

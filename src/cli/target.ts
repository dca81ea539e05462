import { KeysteadError } from '../shared/errors.js';
import { Api } from './api.js';
import type { Instance, Unit } from './api-shapes.js';
import { type CliContext, CommandFailure, usage } from './context.js';
import type { CommonOptions } from './options.js';

/** The server, speaking of the instance of -i, KP_INSTANCE_ID or, when there is exactly one, that one. */
export async function openInstance(ctx: CliContext, options: CommonOptions): Promise<Api & { instanceId: string }> {
  const api = await Api.open(ctx);
  const named = options.instanceId ?? ctx.env['KP_INSTANCE_ID'];
  const id = named || onlyOne(await api.instances()).id;
  return api.of(id) as Api & { instanceId: string };
}

function onlyOne(instances: readonly Instance[]): Instance {
  const [first, ...more] = instances;
  if (!first) throw new CommandFailure('INSTANCE_NOT_FOUND', 'there is no instance yet', 'kp instance create NAME');
  if (more.length === 0) return first;
  const list = instances.map(({ id, name }) => `${name} (${id})`).join(', ');
  throw usage(`there are several instances: ${list}; say which one`, `export KP_INSTANCE_ID=${first.id}`);
}

/** The instance with this id or, when exactly one has it, this name. INSTANCE_NOT_FOUND, or USAGE when several match. */
export async function findInstance(api: Api, nameOrId: string): Promise<Instance> {
  const matches = (await api.instances()).filter(({ id, name }) => id === nameOrId || name === nameOrId);
  const [first, ...more] = matches;
  if (!first) throw new CommandFailure('INSTANCE_NOT_FOUND', `there is no instance ${nameOrId}`, 'kp instance list');
  if (more.length === 0) return first;
  throw usage(`several instances are named ${nameOrId}: ${matches.map(({ id }) => id).join(', ')}; give the id`);
}

/** The units with these ids, in the order of the instance; all of them without ids. UNIT_NOT_FOUND names the first stranger. */
export function pickUnits(units: readonly Unit[], ids: readonly string[] | null): Unit[] {
  const stranger = ids?.find((id) => !units.some((unit) => unit.id === id));
  if (stranger !== undefined) {
    const there = units.map(({ id }) => id).join(', ') || 'none';
    throw new KeysteadError(
      'UNIT_NOT_FOUND',
      `crypto unit ${stranger} is not of this instance; its units are: ${there}`,
    );
  }
  if (units.length === 0)
    throw new CommandFailure('UNIT_NOT_FOUND', 'the instance has no crypto unit yet', 'kp instance list');
  return units.filter((unit) => !ids || ids.includes(unit.id));
}

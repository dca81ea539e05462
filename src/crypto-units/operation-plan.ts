import { parseCommand } from '../admins/signed-command.js';
import { KeysteadError } from '../shared/errors.js';
import type { Operation } from './operation.entity.js';

/** What is to be done on the units of an operation: which document goes to which unit. */
export interface OperationPlan {
  readonly id: string;
  readonly op: Operation['op'];
  readonly instanceId: string;
  readonly documents: readonly string[];
  readonly units: readonly { readonly id: string; readonly document: number }[];
  readonly by: string;
}

/** The plan that signed documents describe. COMMAND_MALFORMED when they do not belong together. */
export function planOf(documents: readonly string[], by: string): OperationPlan {
  const commands = documents.map((document) => parseCommand(document).payload);
  const [first] = commands;
  if (first === undefined) throw new KeysteadError('COMMAND_MALFORMED', 'there is no signed document');
  const odd = commands.find((c) => c.plan !== first.plan || c.op !== first.op || c.instance !== first.instance);
  const units = commands.flatMap((command, document) => command.units.map((unit) => ({ id: unit.id, document })));
  if (odd !== undefined || new Set(units.map((unit) => unit.id)).size !== units.length) {
    throw new KeysteadError('COMMAND_MALFORMED', 'the documents differ in plan, op or instance, or name a unit twice');
  }
  return { id: first.plan, op: first.op, instanceId: first.instance, documents, units, by };
}

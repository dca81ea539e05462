import type { EntityManager } from 'typeorm';
import { parseCommand } from '../admins/signed-command.js';
import type { Initiator } from '../audit/audit-entry.js';
import { KeysteadError } from '../shared/errors.js';
import { type Operation, OperationUnit } from './operation.entity.js';

/** What is to be done on the units of an operation: which document goes to which unit. */
export interface OperationPlan {
  readonly id: string;
  readonly op: Operation['op'];
  readonly instanceId: string;
  readonly documents: readonly string[];
  readonly units: readonly { readonly id: string; readonly document: number }[];
  readonly by: Initiator;
}

/** The plan that signed documents describe. COMMAND_MALFORMED when they do not belong together. */
export function planOf(documents: readonly string[], by: Initiator): OperationPlan {
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

/**
 * The rows of what is known under the plan's id. Throws PLAN_REUSED unless it is the same act on the same units. What was
 * signed decides: the same payload may come again with more signatures, when the first ones were too few.
 */
export async function assertSamePlan(
  tx: EntityManager,
  known: Operation,
  plan: OperationPlan,
): Promise<OperationUnit[]> {
  const rows = await tx.findBy(OperationUnit, { operationId: known.id });
  const same =
    known.op === plan.op &&
    sameTexts(known.documents.map(actOf(known.op)), plan.documents.map(actOf(plan.op))) &&
    sameTexts(rows.map((row) => row.unitId).sort(), plan.units.map((unit) => unit.id).sort());
  if (same) return rows;
  throw new KeysteadError(
    'PLAN_REUSED',
    `plan ${plan.id} was another command, or for other units; take a new plan for this one`,
  );
}

/** What a document asks for, whoever signed it. */
function actOf(op: Operation['op']): (document: string) => string {
  return (document) => (op === 'claim' ? document : parseCommand(document).digest);
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, index) => text === b[index]);
}

import type { SignedOp } from '../shared/unit-state.js';
import { writeCommandFile } from './command-file.js';
import { printCommand } from './command-show.js';
import { LABELS } from './command-words.js';
import type { CliContext } from './context.js';
import { plansOnly } from './plan.js';
import { type CommandArguments, execute, type Prepared } from './signed-operation.js';
import { printExecuted } from './signed-report.js';
import type { Signing } from './signing.js';

/** Prepares, signs, sends and reports a command whose args are known; or shows its plan, or writes it to a file. */
export async function carryOut(
  ctx: CliContext,
  signing: Signing,
  op: SignedOp,
  args: CommandArguments,
  extra: object = {},
): Promise<void> {
  const prepared = await signing.prepare(op, args);
  if (await heldBack(ctx, signing, op, args, prepared)) return;
  const executed = await execute(ctx, signing.api, prepared.ready, op, () => args);
  printExecuted(ctx, LABELS[op], signing, prepared.failed, executed, extra);
}

/** With --plan or --sign-only: does that, and answers true; nothing was sent. */
export async function heldBack(
  ctx: CliContext,
  signing: Signing,
  op: SignedOp,
  args: CommandArguments,
  prepared: Prepared,
): Promise<boolean> {
  if (plansOnly(ctx, signing, op, args, prepared)) return true;
  if (signing.options.signOnly === undefined) return false;
  const opened = await writeCommandFile(ctx, signing, op, args, prepared);
  printCommand(ctx, opened, ['OK', `Nothing was sent. The command is in ${opened.path}.`, '']);
  return true;
}

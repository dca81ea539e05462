import { signaturesNeeded } from '../admins/quorum.js';
import { KeysteadError, needs } from '../shared/errors.js';
import { Api } from './api.js';
import { missingIn, type OpenedFile, openCommandFile, stillToSign, type TargetInFile } from './command-file.js';
import { LABELS, wordsFor } from './command-words.js';
import { type CliContext, CommandFailure, withProgress } from './context.js';
import { KnownUnits } from './known-units.js';
import type { CommonOptions } from './options.js';
import { type Outcome, report } from './outcome.js';
import { type Planned, printPlan } from './plan.js';
import { type Asked, relay, verifiedReceipt } from './relay.js';
import { commandLine } from './shell.js';
import { proveUnit, type Trust, trustNewKey } from './unit-key.js';

export interface SubmitOptions extends CommonOptions {
  readonly unitKey?: readonly string[];
  readonly plan?: boolean;
}

/** Sends a command file and reports what each unit made of it, under the receipt key that the unit had when it was made. */
export async function submitCommand(ctx: CliContext, path: string, options: SubmitOptions): Promise<void> {
  const trust: Trust = { known: new KnownUnits(ctx), compared: options.unitKey ?? [] };
  const opened = await openCommandFile(path, trust.known);
  const { file, targets } = opened;
  const { op, plan, instance, args } = file.command.payload;
  assertComplete(opened);
  for (const { id, spki, known } of targets) {
    if (!known) await trustNewKey(ctx, { id, instanceId: instance }, spki, trust);
  }
  const api = (await Api.open(ctx)).of(instance);
  if (options.plan) return printPlan(ctx, LABELS[op], await plannedUnits(ctx, api, opened, trust));
  const operation = await withProgress(ctx, 'Waiting for the crypto units', relay(ctx, api, plan, [file.document]));
  const outcomes = targets.map((target): Outcome => {
    try {
      const receipt = verifiedReceipt(operation, askedOf(target, instance), { op, plan, digest: file.command.digest });
      return { unitId: target.id, receipt };
    } catch (error) {
      if (!(error instanceof KeysteadError)) throw error;
      return { unitId: target.id, error };
    }
  });
  if (op === 'zeroize') {
    for (const outcome of outcomes) if ('receipt' in outcome) await trust.known.forget(outcome.unitId);
  }
  const again = commandLine(['kp', 'command', 'submit', path], { '--unit-key': options.unitKey ?? [] });
  const does = wordsFor(op, args);
  report(ctx, { label: LABELS[op], outcomes, retry: () => again, extra: { plan, does } });
}

const askedOf = ({ id, spki, serial, epoch, counter }: TargetInFile, instanceId: string): Asked => ({
  unit: { id, instanceId },
  spki,
  receipt: { serial, epoch },
  counter: counter - 1,
});

/** Said before anything is sent. */
function assertComplete(opened: OpenedFile): void {
  const missing = missingIn(opened);
  if (missing === 0) return;
  throw new CommandFailure(
    'QUORUM_NOT_MET',
    `the command lacks ${missing} signature(s), of: ${stillToSign(opened).join(', ') || 'nobody whom all units know'}`,
    `${commandLine(['kp', 'command', 'sign', opened.path], {})} --auth '[{"NAME":"FILE"}]'`,
  );
}

/** What each unit would say to the command as the unit is now. */
async function plannedUnits(ctx: CliContext, api: Api, opened: OpenedFile, trust: Trust): Promise<Planned[]> {
  const { payload } = opened.file.command;
  const units = await api.units();
  const planned: Planned[] = [];
  for (const target of opened.targets) {
    const unit = units.find(({ id }) => id === target.id);
    const about = { unitId: target.id, state: unit?.state ?? 'unknown', does: [wordsFor(payload.op, payload.args)] };
    try {
      needs(unit, 'UNIT_NOT_FOUND', `crypto unit ${target.id} is not of instance ${payload.instance} any more`);
      const { record } = await proveUnit(ctx, api, unit, trust);
      const needed = signaturesNeeded(payload, record);
      const fits = record.epoch === target.epoch && record.counter + 1 === target.counter;
      needs(
        fits,
        'COMMAND_REPLAYED',
        `the command is number ${target.counter} and the unit expects number ${record.counter + 1}: it was done, or another command came between; make it again`,
      );
      planned.push({ ...about, error: null, signatures: { there: signerNames(opened), needed } });
    } catch (error) {
      if (!(error instanceof KeysteadError)) throw error;
      planned.push({ ...about, error });
    }
  }
  return planned;
}

function signerNames({ file, targets }: OpenedFile): string[] {
  const admins = targets.flatMap(({ record }) => record.admins);
  return file.signers.map((kid) => admins.find((admin) => admin.kid === kid)?.name ?? kid);
}

import type { Command } from 'commander';
import type { Receipt } from '../admins/receipt.js';
import { KeysteadError, needs } from '../shared/errors.js';
import type { SignedOp } from '../shared/unit-state.js';
import type { Api } from './api.js';
import { carryOut } from './carry-out.js';
import { openCommandFile, type TargetInFile } from './command-file.js';
import { LABELS } from './command-words.js';
import { type CliContext, CommandFailure, usage } from './context.js';
import { leaf, type SignedOptions, signed } from './options.js';
import { verifiedReceipt } from './relay.js';
import { commandLine } from './shell.js';
import { beginSigning } from './signing.js';
import { type Trust, trustNewKey } from './unit-key.js';

/**
 * Making and importing a master key where several administrators sign, each on a machine of their own. What a unit must give
 * first, random bytes or a one-time key, is asked for by a command file of its own; once that is submitted, whoever holds
 * the keyshares goes on with the file: the units' receipts of exactly that command are what counts.
 */
export function addCosigned(masterKey: Command, ctx: CliContext): void {
  signed(
    leaf(
      masterKey,
      'random',
      'Ask a crypto unit for the random bytes of a new master key, in a command that several administrators sign',
      'kp crypto-unit mk random --sign-only random.json',
    ),
  ).action((options: SignedOptions) => ask(ctx, 'random', options));
  signed(
    leaf(
      masterKey,
      'importer',
      'Ask the crypto units for the one-time keys of an import, in a command that several administrators sign',
      'kp crypto-unit mk importer --sign-only importer.json',
    ),
  ).action((options: SignedOptions) => ask(ctx, 'importer', options));
}

async function ask(ctx: CliContext, what: 'random' | 'importer', options: SignedOptions): Promise<void> {
  const words = ['kp', 'crypto-unit', 'mk', what];
  if (options.signOnly === undefined && !options.plan) {
    throw usage(
      `mk ${what} is for administrators who sign on machines of their own: give --sign-only; where all sign here, mk generate and mk import ask the units themselves`,
      `${commandLine(words, {})} --sign-only FILE`,
    );
  }
  const signing = await beginSigning(ctx, { options, words });
  if (what === 'importer') return carryOut(ctx, signing, 'mk.importer', {});
  const [first] = signing.targets; // one unit's random is enough
  await carryOut(ctx, { ...signing, targets: first ? [first] : [] }, 'mk.random', { bytes: 32 });
}

/** A unit that did what a command file asked, and its receipt of that. */
export interface Answered {
  readonly target: TargetInFile;
  readonly receipt: Receipt;
}

/** The units' receipts of a command file that was submitted. Throws the first refusal, or what is to be done first. */
export async function receiptsOf(
  ctx: CliContext,
  api: Api & { readonly instanceId: string },
  path: string,
  op: SignedOp,
  trust: Trust,
): Promise<Answered[]> {
  const { file, targets } = await openCommandFile(path, trust.known);
  const { payload, digest } = file.command;
  needs(payload.op === op, 'FILE_INVALID', `${path} holds the command ${LABELS[payload.op]}, not ${LABELS[op]}`);
  const { instanceId } = api;
  needs(
    payload.instance === instanceId,
    'FILE_INVALID',
    `${path} is of instance ${payload.instance}, not ${instanceId}`,
  );
  for (const { id, spki, known } of targets) if (!known) await trustNewKey(ctx, { id, instanceId }, spki, trust);
  const operation = await api.operation(payload.plan).catch((cause: unknown) => {
    if (!(cause instanceof KeysteadError) || cause.code !== 'OPERATION_NOT_FOUND') throw cause;
    const next = commandLine(['kp', 'command', 'submit', path], {});
    throw new CommandFailure(cause.code, `${path} was not submitted yet`, next, { cause });
  });
  return targets.map((target) => {
    const { id, spki, serial, epoch, counter } = target;
    const asked = { unit: { id, instanceId }, spki, receipt: { serial, epoch }, counter: counter - 1 };
    return { target, receipt: verifiedReceipt(operation, asked, { op, plan: payload.plan, digest }) };
  });
}

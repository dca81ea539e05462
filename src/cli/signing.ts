import type { SignedOp } from '../shared/unit-state.js';
import type { Api } from './api.js';
import { type Authority, cuArgument, readAuthority, SignerOpener } from './auth.js';
import { type CliContext, usage } from './context.js';
import { assertCreatable } from './files.js';
import { KnownUnits } from './known-units.js';
import type { SignedOptions } from './options.js';
import type { Retry } from './outcome.js';
import { PassphraseReader } from './passphrase.js';
import { commandLine } from './shell.js';
import { type CommandArguments, type Prepared, prepare, type Target } from './signed-operation.js';
import { openInstance, pickUnits } from './target.js';
import type { Trust } from './unit-key.js';

/** One run of a signed command: who signs for which units, what is trusted, and how to say the command again. */
export interface Signing {
  readonly api: Api & { instanceId: string };
  readonly targets: readonly Target[];
  readonly trust: Trust;
  /** `args` as far as they are known: how many must sign may depend on them. */
  prepare(op: SignedOp, args?: CommandArguments): Promise<Prepared>;
  readonly options: SignedOptions;
  /** The same command for these units alone, without any literal passphrase. */
  readonly retry: Retry;
}
export interface SigningRequest {
  readonly options: SignedOptions;
  /** The command and its own flags, for the retry. */
  readonly words: readonly string[];
  readonly flags?: Readonly<Record<string, string | readonly string[] | boolean | undefined>>;
  /** Why signers are needed: the sentence when --auth and --cu are missing. */
  readonly needed?: string;
  /** Only these units; every unit of --cu, or of the instance, when left out. */
  readonly only?: readonly string[];
  readonly passphrases?: PassphraseReader;
}

const NEEDED = 'this command needs the signature of an administrator: give --auth or --cu';

/** Reads flags and opens the signature keys before anything is contacted, then finds the units. */
export async function beginSigning(ctx: CliContext, request: SigningRequest): Promise<Signing> {
  const { options, only } = request;
  const nothingSent = options.plan === true || options.signOnly !== undefined;
  if (options.plan && options.signOnly !== undefined) throw usage('--plan and --sign-only exclude each other');
  if (options.signOnly !== undefined) await assertCreatable(options.signOnly);
  const authority = await readAuthority(options, request.needed ?? NEEDED, nothingSent);
  const opener = new SignerOpener(request.passphrases ?? new PassphraseReader(ctx));
  const signersFor = await openSigners(opener, authority);
  const api = await openInstance(ctx, options);
  const ids = only ?? authority.units?.map(({ id }) => id) ?? null;
  const targets = pickUnits(await api.units(), ids).map((unit) => ({ unit, signers: signersFor(unit.id) }));
  const retry: Retry = (unitIds, unitKeys) => retryCommand(request, authority, unitIds, unitKeys);
  const trust: Trust = { known: new KnownUnits(ctx), compared: options.unitKey ?? [] };
  return {
    api,
    targets,
    trust,
    retry,
    options,
    prepare: (op, args = {}) => prepare(ctx, api, targets, { op, args, complete: !nothingSent }, trust),
  };
}

async function openSigners(opener: SignerOpener, { units, signers }: Authority) {
  if (!units) {
    const all = await opener.open(signers);
    return () => all;
  }
  const opened = new Map<string, Target['signers']>();
  for (const unit of units) opened.set(unit.id, await opener.open(unit.signers));
  return (unitId: string) => opened.get(unitId) ?? [];
}

/** The command that repeats the request for these units alone: IBM's way, with --cu. */
export function retryCommand(
  { words, flags, options }: SigningRequest,
  { units, signers }: Authority,
  unitIds: readonly string[],
  unitKeys: readonly string[] = [],
): string {
  const cu = cuArgument(
    unitIds.map((id) => ({ id, signers: units?.find((unit) => unit.id === id)?.signers ?? signers })),
  );
  const keys = [...new Set([...(options.unitKey ?? []), ...unitKeys])];
  return commandLine(words, { ...flags, '--cu': cu, '-i': options.instanceId, '--unit-key': keys });
}

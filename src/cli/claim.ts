import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { readAdminKey } from '../admins/public-key.js';
import { type Receipt, readReceipt } from '../admins/receipt.js';
import { publicPartOf } from '../admins/sig-key-file.js';
import { KeysteadError, needs } from '../shared/errors.js';
import { assertAllowed } from '../shared/unit-state.js';
import type { Api } from './api.js';
import type { Unit } from './api-shapes.js';
import { type CliContext, CommandFailure, usage, withProgress } from './context.js';
import { exists, readText } from './files.js';
import { KnownUnits } from './known-units.js';
import { type CommonOptions, fileOption, idsOption, leaf, oneFile, planOption, unitKeyOption } from './options.js';
import { type Outcome, report } from './outcome.js';
import { type FileReference, PassphraseReader, parseReference, printable } from './passphrase.js';
import { type Planned, printPlan } from './plan.js';
import { commandLine } from './shell.js';
import { openInstance, pickUnits } from './target.js';
import { fingerprint, keyChanged, recordOf, shownKey, wasZeroized } from './unit-key.js';

interface ClaimOptions extends CommonOptions {
  readonly file?: string;
  readonly credential?: string;
  readonly ids?: readonly string[];
  readonly unitKey?: readonly string[];
  readonly plan?: boolean;
}

export function addClaim(cryptoUnit: Command, ctx: CliContext): void {
  const claim = leaf(
    cryptoUnit,
    'claim',
    'Claim crypto units: install the first administrator, ADMIN',
    'kp crypto-unit claim --credential admin.key',
    'kp crypto-unit claim --credential admin.key --ids 6e0aead3-9d44-4c92-a4c4-f7a1ab415420',
  );
  fileOption(claim, 'credential', 'file', 'signature key file of the administrator; only its public part is read')
    .addOption(idsOption())
    .addOption(unitKeyOption())
    .addOption(planOption())
    .action((options: ClaimOptions) => claimUnits(ctx, options));
}

/** The public part of a credential file, PEM. `FILE#PASSPHRASE` is only needed for an encrypted key without certificate. */
export async function readCredential(ctx: CliContext, given: string): Promise<string> {
  const { file, source, fromArgv } = await credentialReference(given);
  const text = await readText(file, 'credential file');
  return publicPartOf(text, file, () => new PassphraseReader(ctx).read(source, fromArgv, { subject: file }));
}

/** A file of exactly that name counts first: IBM takes no passphrase here, so '#' may be part of the name. */
async function credentialReference(given: string): Promise<FileReference> {
  if (await exists(given)) return { file: given, source: { kind: 'ask' }, fromArgv: true };
  return parseReference(given, true);
}

/** The credential as a retry may show it. */
export async function printableCredential(given: string): Promise<string> {
  return (await exists(given)) ? given : printable(parseReference(given, true));
}

async function claimUnits(ctx: CliContext, options: ClaimOptions): Promise<void> {
  const credential = oneFile(options, 'credential');
  if (options.ids?.length === 0) throw usage('--ids names no crypto unit');
  const certificate = await readCredential(ctx, credential);
  const api = await openInstance(ctx, options);
  const units = pickUnits(await api.units(), options.ids ?? null);
  if (options.plan) return printPlan(ctx, 'Claim', plannedClaims(units, certificate));
  const claiming = new Claiming(ctx, api, certificate, options.unitKey ?? []);
  const outcomes: Outcome[] = [];
  for (const unit of units) outcomes.push(await claiming.claim(unit));
  const shown = await printableCredential(credential);
  report(ctx, {
    label: 'Claim',
    outcomes,
    retry: (ids) =>
      commandLine(['kp', 'crypto-unit', 'claim'], {
        '--credential': shown,
        '--ids': ids.join(','),
        '-i': options.instanceId,
      }),
    perUnit: (id) => ({ receiptKey: claiming.keys.get(id) ?? null }),
    epilogue: [
      '',
      ...[...claiming.keys].map(([id, key]) => `Receipt key of ${id}: ${key}`),
      "Compare each with the line 'claimed' in the log of the unit's agent. kp remembers them.",
    ],
  });
}

function plannedClaims(units: readonly Unit[], certificate: string): Planned[] {
  const { kid } = readAdminKey(certificate);
  return units.map(({ id: unitId, state, admins }) => {
    const about = { unitId, state, error: null };
    if (state === 'reserved') return { ...about, does: [`installs the administrator ADMIN, fingerprint ${kid}`] };
    if (admins?.some((admin) => admin.kid === kid))
      return { ...about, does: ['is claimed with this key; nothing changes'] };
    const error = new KeysteadError('UNIT_STATE', `it is ${state}, and this key is not of one of its administrators`);
    return { ...about, does: [], error };
  });
}

/** Claims units one after the other with the same certificate. */
class Claiming {
  /** Fingerprints of the receipt keys that the claimed units showed. */
  readonly keys = new Map<string, string>();
  readonly #known: KnownUnits;

  constructor(
    private readonly ctx: CliContext,
    private readonly api: Api,
    private readonly certificate: string,
    private readonly compared: readonly string[],
  ) {
    this.#known = new KnownUnits(ctx);
  }

  async claim(unit: Unit): Promise<Outcome> {
    try {
      return { unitId: unit.id, receipt: await this.#claim(unit) };
    } catch (error) {
      const fatal = ['UNAUTHENTICATED', 'FORBIDDEN', 'SERVER_UNREACHABLE', 'UNIT_KEY_CHANGED'];
      if (!(error instanceof KeysteadError) || fatal.includes(error.code)) throw error;
      return { unitId: unit.id, error };
    }
  }

  async #claim(unit: Unit): Promise<Receipt> {
    if (unit.state === 'maintenance') assertAllowed('claim', unit.state);
    if (unit.state === 'reserved') await this.#assertFresh(unit); // a claimed unit decides itself: our own key again is no error
    const plan = randomUUID();
    const claim = this.api.claim(unit.id, plan, this.certificate);
    const answer = await withProgress(this.ctx, `Claiming ${unit.id}`, claim);
    const { spki } = await shownKey(this.api, unit.id);
    needs(spki, 'RECEIPT_INVALID', `crypto unit ${unit.id} shows no receipt key after the claim`);
    const receipt = readReceipt(answer.receipt, spki);
    assertClaimed(receipt, unit, plan, readAdminKey(this.certificate).kid);
    const key = fingerprint(spki);
    if (this.compared.length > 0 && !this.compared.includes(key)) {
      throw keyChanged(unit, this.compared.join(', '), key);
    }
    await this.#known.remember(unit.id, unit.instanceId, spki, key);
    this.keys.set(unit.id, key);
    return receipt;
  }

  /** A reserved unit that is known here with a key must show that it was zeroized: else it is not the unit we knew. */
  async #assertFresh(unit: Unit): Promise<void> {
    const pin = await this.#known.find(unit.id);
    if (!pin) return;
    const { answer } = await shownKey(this.api, unit.id);
    if (wasZeroized(answer, unit, pin.spki)) return;
    throw new CommandFailure(
      'UNIT_KEY_CHANGED',
      `crypto unit ${unit.id} says that it is reserved, and here it is known as claimed, with the receipt key ${pin.fingerprint}; it shows no receipt that it was zeroized. If you know that it was, take it out of known-units.json`,
    );
  }
}

/** The receipt must be for this claim and name our key as an administrator; the only one, on a unit that was reserved. */
function assertClaimed(receipt: Receipt, unit: Unit, plan: string, kid: string): void {
  if (receipt.error) throw new KeysteadError(receipt.error.code, receipt.error.message);
  const { admins } = recordOf(receipt);
  const fits =
    receipt.op === 'claim' &&
    receipt.plan === plan &&
    receipt.unit === unit.id &&
    receipt.instance === unit.instanceId &&
    (admins.length === 1 || unit.state !== 'reserved') &&
    admins.some((admin) => admin.kid === kid);
  needs(fits, 'RECEIPT_INVALID', `the receipt of crypto unit ${unit.id} does not say that your key claimed it`);
}

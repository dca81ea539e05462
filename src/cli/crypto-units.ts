import type { Command } from 'commander';
import type { Unit } from './api-shapes.js';
import { type CliContext, notice, printResult, usage } from './context.js';
import { addDiff } from './diff.js';
import { expirySentences } from './expiry.js';
import { KnownUnits } from './known-units.js';
import { type CommonOptions, leaf, toUuid } from './options.js';
import { listing, starred } from './table.js';
import { openInstance } from './target.js';
import { fingerprint, type ProvenUnit, readUnit } from './unit-key.js';

export function addCryptoUnits(program: Command, ctx: CliContext): void {
  const units = leaf(
    program,
    'crypto-units',
    'List the crypto units of the instance',
    'kp crypto-units',
    'kp crypto-units -o json',
  ).action((options: CommonOptions) => list(ctx, options));
  addDiff(units, ctx);
}

export function addCryptoUnit(cryptoUnit: Command, ctx: CliContext): void {
  leaf(
    cryptoUnit,
    'show',
    'Show one crypto unit: its state, its record and its receipt key',
    'kp crypto-unit show 6e0aead3-9d44-4c92-a4c4-f7a1ab415420',
  )
    .argument('<id>', 'the crypto unit', toUuid)
    .action((id: string, options: CommonOptions) => show(ctx, id, options));

  leaf(
    cryptoUnit,
    'maintenance',
    'Begin or end the maintenance of a crypto unit; meanwhile it serves nothing',
    'kp crypto-unit maintenance 6e0aead3-9d44-4c92-a4c4-f7a1ab415420 --on',
  )
    .argument('<id>', 'the crypto unit', toUuid)
    .option('--on', 'begin')
    .option('--off', 'end')
    .action((id: string, options: CommonOptions & { on?: boolean; off?: boolean }) => maintenance(ctx, id, options));

  leaf(
    cryptoUnit,
    'replace',
    'Put a new, reserved crypto unit in the place of one that is lost',
    'kp crypto-unit replace 6e0aead3-9d44-4c92-a4c4-f7a1ab415420',
  )
    .argument('<id>', 'the lost crypto unit', toUuid)
    .option('--lost', 'also when it may only be silent: you know that it does not come back')
    .action((id: string, options: CommonOptions & { lost?: boolean }) => replace(ctx, id, options));
}

async function list(ctx: CliContext, options: CommonOptions): Promise<void> {
  const units = await (await openInstance(ctx, options)).units();
  printResult(ctx, units, () => unitTable(units));
  const expiring = expirySentences(
    units.flatMap(({ admins }) => admins ?? []),
    ctx.now(),
  );
  for (const sentence of [...units.flatMap(troubles), ...differences(units), ...quorums(units), ...expiring]) {
    notice(ctx, sentence);
  }
}

/** IBM's table. */
export function unitTable(units: readonly Unit[]): string {
  return starred(
    ['Id', 'InstanceID', 'State'],
    units.map(({ id, instanceId, state }) => [id, instanceId, state]),
  );
}

const WHEN_FINE: Readonly<Record<string, 'True' | 'False'>> = {
  Reachable: 'True',
  MasterKeyMatches: 'True',
  InSync: 'True',
  Quarantined: 'False',
};

/** A sentence for each condition of the unit that is not as it should be; what is unknown of a reachable unit is no trouble. */
export function troubles({ id, conditions = [] }: Unit): string[] {
  return conditions
    .filter(({ type, status }) => {
      const fine = WHEN_FINE[type];
      return fine !== undefined && status !== fine && (status !== 'Unknown' || type === 'Reachable');
    })
    .map(({ type, status, reason, message }) => {
      const said = message || `${type} is ${status}`;
      return `CryptoUnit ${id}: ${said}${reason ? ` (${reason})` : ''}`;
    });
}

function differences(units: readonly Unit[]): string[] {
  const states = [...new Set(units.map(({ state }) => state))];
  if (states.length < 2) return [];
  return [
    `The crypto units are not in the same state: ${states.join(', ')}. Bring them to the same one before you go on.`,
  ];
}

/** Said only where more than one administrator must sign. */
function quorums(units: readonly Unit[]): string[] {
  const thresholds = [...new Set(units.flatMap(({ threshold }) => threshold ?? []))];
  if (Math.max(0, ...thresholds) < 2) return [];
  return [`Each command needs the signatures of ${thresholds.join(' or ')} administrators.`];
}

async function show(ctx: CliContext, id: string, options: CommonOptions): Promise<void> {
  const api = await openInstance(ctx, options);
  const unit = await api.unit(id);
  const claimed = unit.state !== 'reserved' && unit['receiptKey'] != null;
  const proven = claimed ? await readUnit(ctx, api, unit, new KnownUnits(ctx)) : null;
  const result = { ...unit, ...(proven && { record: proven.record, signed: true, receiptKeyKnown: proven.pinned }) };
  printResult(ctx, result, () => describe(unit, proven));
  for (const sentence of troubles(unit)) notice(ctx, sentence);
}

function describe(unit: Unit, proven: (ProvenUnit & { pinned: boolean }) | null): string {
  const record = proven?.record;
  const words = (value: unknown) => (typeof value === 'string' ? value : null);
  return listing([
    ['Id', unit.id],
    ['InstanceID', unit.instanceId],
    ['State', unit.state],
    ['Zone', unit.zone],
    ['Provider', words(unit['provider'])],
    ['Serial', proven?.receipt.serial ?? words(unit['serial'])],
    ['Isolation', words(unit['isolation'])],
    ['Epoch', record?.epoch],
    ['Counter', record?.counter],
    ['Administrators', record?.admins.map(({ name }) => name).join(', ')],
    ['Signatures needed', record?.threshold],
    ['kmsCryptoUser', record?.kmsUser?.name],
    ['Master key', record?.masterKey && `${record.masterKey.name} (${record.masterKey.mkvp})`],
    ['Receipt key', proven && fingerprintLine(proven)],
  ]);
}

const fingerprintLine = ({ spki, pinned }: ProvenUnit & { pinned: boolean }) =>
  `${fingerprint(spki)}${pinned ? '' : ' (not known here)'}`;

async function maintenance(
  ctx: CliContext,
  id: string,
  { on, off, ...options }: CommonOptions & { on?: boolean; off?: boolean },
): Promise<void> {
  if (on === off) throw usage('give --on to begin maintenance or --off to end it');
  const unit = await (await openInstance(ctx, options)).maintenance(id, on === true);
  printResult(ctx, unit, () => `OK\nCrypto unit ${id} is ${unit.state}.`);
}

async function replace(ctx: CliContext, id: string, options: CommonOptions & { lost?: boolean }): Promise<void> {
  const unit = await (await openInstance(ctx, options)).replace(id, options.lost === true);
  printResult(ctx, unit, () =>
    [
      'OK',
      `Crypto unit ${unit.id} is in the place of ${id}.`,
      `Next: kp crypto-unit claim --credential FILE --ids ${unit.id}`,
    ].join('\n'),
  );
}

import type { Command } from 'commander';
import { z } from 'zod';
import type { Receipt } from '../admins/receipt.js';
import { KeysteadError } from '../shared/errors.js';
import type { SignedFacts } from '../unit-agent/protocol.js';
import type { Api } from './api.js';
import { type CliContext, CommandFailure, notice, printResult } from './context.js';
import { type Difference, type DriftUnit, differencesOf } from './drift.js';
import { KnownUnits } from './known-units.js';
import { type CommonOptions, leaf } from './options.js';
import { assertAllRead, type Reading, readingJson } from './readings.js';
import { openInstance, pickUnits } from './target.js';
import { readUnit, recordOf } from './unit-key.js';

export function addDiff(units: Command, ctx: CliContext): void {
  leaf(
    units,
    'diff',
    'Show where the crypto units differ, as they sign it, and the commands that make them the same; exit code 5 when they differ',
    'kp crypto-units diff',
    'kp crypto-units diff -o json',
  ).action((options: CommonOptions) => diff(ctx, options));
}

async function diff(ctx: CliContext, options: CommonOptions): Promise<void> {
  const api = await openInstance(ctx, options);
  const read = await readAll(ctx, api);
  const units = read.flatMap(({ unit }) => unit ?? []);
  const claimed = units.some(({ facts }) => facts);
  const differences = differencesOf(units, claimed ? (await api.cryptoUser()).fingerprint : null);
  const readings = read.map(({ reading }) => reading);
  const result = {
    instance: api.instanceId,
    equal: differences.length === 0 && units.length === read.length,
    units: readings.map(readingJson),
    differences,
  };
  printResult(ctx, result, () => describe(units.length, differences));
  if (differences.length > 0) {
    throw new CommandFailure(
      'UNITS_DIFFER',
      `the crypto units differ in: ${differences.map(({ what }) => what).join(', ')}`,
      differences[0]?.repairs[0]?.command ?? 'kp crypto-units',
    );
  }
  assertAllRead(readings);
}

interface Read {
  readonly reading: Reading;
  /** Undefined for a unit that did not answer: nothing is said of it. */
  readonly unit?: DriftUnit;
}

async function readAll(ctx: CliContext, api: Api): Promise<Read[]> {
  const known = new KnownUnits(ctx);
  const read: Read[] = [];
  for (const unit of pickUnits(await api.units(), null)) {
    const { id, state } = unit;
    const blank = { unit: id, state, receiptKeyKnown: false, record: null, error: null };
    if (state === 'reserved') {
      read.push({ reading: blank, unit: { id, state, facts: null } });
      continue;
    }
    try {
      const { receipt, record, pinned } = await readUnit(ctx, api, unit, known, true);
      const reading = { ...blank, receiptKeyKnown: pinned, record };
      read.push({ reading, unit: { id, state, facts: signedFacts(receipt) } });
    } catch (error) {
      if (!(error instanceof KeysteadError) || error.code === 'UNIT_KEY_CHANGED') throw error;
      notice(ctx, `CryptoUnit ${id}: ${error.message}`);
      read.push({ reading: { ...blank, error } });
    }
  }
  return read;
}

const Word = z.string().nullable();
const TokenFacts = z.looseObject({
  token: z.looseObject({ model: Word, manufacturer: Word, firmware: Word }),
  capabilities: z.record(z.string(), z.unknown()).nullable(),
});

/** The record, the token and what it can do, out of a receipt. RECEIPT_INVALID when they are not there. */
function signedFacts(receipt: Receipt): SignedFacts {
  const parsed = TokenFacts.safeParse(receipt.facts);
  if (parsed.success) return { ...recordOf(receipt), ...(parsed.data as unknown as SignedFacts) };
  throw new KeysteadError('RECEIPT_INVALID', `the receipt of crypto unit ${receipt.unit} does not describe its token`);
}

function describe(count: number, differences: readonly Difference[]): string {
  if (differences.length === 0) return `OK\n${count} crypto units are set up the same.`;
  return differences
    .map(({ what, values, repairs }) =>
      [
        `They differ in: ${what}`,
        ...values.map(({ value, units }) => `  ${value}: ${units.join(', ')}`),
        '  To repair it:',
        ...repairs.map(({ when, command }) => `    ${when === undefined ? '' : `(if ${when}) `}${command}`),
      ].join('\n'),
    )
    .join('\n\n');
}

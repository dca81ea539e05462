import type { Command } from 'commander';
import { Api } from './api.js';
import { type CliContext, printResult } from './context.js';
import { group, leaf, toNumber, toUuid } from './options.js';
import { listing, table } from './table.js';

export function addOperation(program: Command, ctx: CliContext): void {
  leaf(
    group(
      program,
      'operation',
      'Look at what administrators had done',
      'kp operation show 6e0aead3-9d44-4c92-a4c4-f7a1ab415420',
    ),
    'show',
    'Show one operation and what each crypto unit answered',
    'kp operation show 6e0aead3-9d44-4c92-a4c4-f7a1ab415420',
  )
    .argument('<id>', 'the operation: the plan that -o json prints', toUuid)
    .action((id: string) => showOperation(ctx, id));
}

export function addAudit(program: Command, ctx: CliContext): void {
  leaf(
    group(program, 'audit', 'Read the audit', 'kp audit list'),
    'list',
    'List audit lines, the newest first',
    'kp audit list --limit 20',
    'kp audit list --before 1200 -o json',
  )
    .option('--limit <number>', 'how many lines, 1 to 1000', toNumber(1, 1000), 50)
    .option('--before <seq>', 'only lines with a smaller sequence number', toSequence)
    .action((options: { limit: number; before?: string }) => listAudit(ctx, options));
}

const toSequence = (text: string) => String(toNumber(1, 999_999_999)(text));

async function showOperation(ctx: CliContext, id: string): Promise<void> {
  const operation = await (await Api.open(ctx)).operation(id);
  printResult(ctx, operation, () =>
    [
      listing([
        ['Operation', operation.id],
        ['Op', operation.op],
        ['InstanceID', operation.instanceId],
      ]),
      '',
      table(
        ['CryptoUnit', 'Outcome', 'Receipt', 'Error'],
        operation.units.map(({ id: unit, outcome, receipt, error }) => [
          unit,
          outcome,
          receipt ? 'yes' : 'no',
          error ? `${error.code}: ${error.message}` : '',
        ]),
      ),
    ].join('\n'),
  );
}

async function listAudit(ctx: CliContext, { limit, before }: { limit: number; before?: string }): Promise<void> {
  const lines = await (await Api.open(ctx)).audit(limit, before);
  printResult(ctx, lines, () =>
    table(
      ['Seq', 'At', 'Act', 'Outcome', 'By', 'CryptoUnit', 'Target'],
      lines.map((line) => [
        String(line.seq),
        line.at,
        line.act,
        line.outcome,
        line.by,
        line.unitId ?? '',
        line.target ?? '',
      ]),
    ),
  );
}

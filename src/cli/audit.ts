import { type Command, Option } from 'commander';
import { Api } from './api.js';
import { addAuditExport } from './audit-export.js';
import { addAuditVerify } from './audit-verify.js';
import { type CliContext, printResult } from './context.js';
import { type CommonOptions, group, leaf, toMoment, toNumber, toUuid } from './options.js';
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
  const audit = group(program, 'audit', 'Read, export and verify the audit log', 'kp audit list');
  leaf(
    audit,
    'list',
    'List audit lines, the newest first',
    'kp audit list --limit 20',
    "kp audit list --act 'kms.secrets.*' --outcome failure --since 2031-12-31",
    'kp audit list --before 1200 -o json',
    'kp audit list --correlation-id 3f0c7f0e-5f4d-4d0e-9f52-6f9d0f6f5f11',
  )
    .option('--limit <number>', 'how many lines, 1 to 1000', toNumber(1, 1000), 50)
    .option('--before <seq>', 'only lines with a smaller sequence number: the next page', toSequence)
    .option('--act <act>', 'only this act, or those that begin so: kms.secrets.*')
    .addOption(new Option('--outcome <outcome>', 'only these').choices(['success', 'failure']))
    .option('--by <name>', 'only what this API key or service did')
    .option('--unit <id>', 'only what this crypto unit did', toUuid)
    .option('--target <id>', 'only what was done to this key, operation, …')
    .option('--correlation-id <id>', 'only what this request did, by the Correlation-Id of its answer')
    .option('--since <date>', 'from this time on, as 2031-12-31T23:59:59Z', toMoment)
    .option('--until <date>', 'before this time', toMoment)
    .action((options: ListOptions) => listAudit(ctx, options));
  addAuditExport(audit, ctx);
  addAuditVerify(audit, ctx);
}

interface ListOptions extends CommonOptions {
  readonly limit: number;
  readonly before?: string;
  readonly act?: string;
  readonly outcome?: string;
  readonly by?: string;
  readonly unit?: string;
  readonly target?: string;
  readonly correlationId?: string;
  readonly since?: string;
  readonly until?: string;
}

const toSequence = (text: string) => String(toNumber(1, 999_999_999_999)(text));

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

async function listAudit(ctx: CliContext, options: ListOptions): Promise<void> {
  const { limit, before, act, outcome, by, unit: unitId, target, since, until } = options;
  const { correlationId, instanceId } = options;
  const filter = {
    limit: String(limit),
    before,
    act,
    outcome,
    by,
    unitId,
    target,
    correlationId,
    since,
    until,
    instanceId,
  };
  const lines = await (await Api.open(ctx)).audit(filter);
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

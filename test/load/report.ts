import { appendFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { Tally } from './tally.js';

/** What a scenario came to. */
export interface Row {
  /** Number in the acceptance list. */
  readonly item: string;
  readonly name: string;
  readonly tally: Tally;
  readonly faults: number;
  /** How long each recovery took, in milliseconds. */
  readonly recoveries: readonly number[];
  /** Acknowledged records that were gone; undefined where nothing was counted. */
  readonly lost?: number | undefined;
  /** Targets that were not reached, each with its figure. */
  readonly missed: readonly string[];
  /** What else was seen. */
  readonly notes: readonly string[];
}

const HEAD = ['', 'scenario', 'sent', 'failed', 'p50 ms', 'p99 ms', 'recovery ms', 'faults', 'lost'] as const;

/** The rows as text: a line of figures each, below it what was not reached, and why. */
export function tableOf(title: string, rows: readonly Row[]): string {
  const cells = [HEAD.map(String), ...rows.map(cellsOf)];
  const widths = HEAD.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const [head = '', ...lines] = cells.map((row) =>
    row
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  const body = rows.flatMap(({ missed, notes }, n) => [
    lines[n] ?? '',
    ...missed.map((what) => `        not reached: ${what}`),
    ...notes.map((what) => `        ${what}`),
  ]);
  const when = new Date().toISOString().slice(0, 10);
  return [`${title} (${when}, ${availableParallelism()} cores)`, '', head, ...body, ''].join('\n');
}

/** Prints the table, and adds it to the file that KEYSTEAD_LOAD_REPORT names. */
export function report(title: string, rows: readonly Row[]): void {
  const text = `\n${tableOf(title, rows)}\n`;
  process.stdout.write(text);
  const file = process.env['KEYSTEAD_LOAD_REPORT'];
  if (file) appendFileSync(file, text);
}

/** Adds the server's log to a file beside the table: something went wrong. */
export function keepLog(log: string): void {
  const file = process.env['KEYSTEAD_LOAD_REPORT'];
  if (file) appendFileSync(`${file}.log`, log);
}

function cellsOf({ item, name, tally, faults, recoveries, lost }: Row): string[] {
  const slowest = recoveries.length === 0 ? '' : `≤ ${Math.round(Math.max(...recoveries))}`;
  const [p50, p99] = [0.5, 0.99].map((share) => shown(tally.percentile(share)));
  return [
    item,
    name,
    String(tally.sent),
    String(tally.failures.length),
    p50 ?? '',
    p99 ?? '',
    slowest,
    String(faults),
    lost === undefined ? '' : String(lost),
  ];
}

function shown(value: number): string {
  if (Number.isNaN(value)) return '';
  return value >= 100 ? String(Math.round(value)) : value.toFixed(1);
}

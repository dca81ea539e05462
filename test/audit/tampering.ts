import { randomInt } from 'node:crypto';
import type { AuditRecord } from '../../src/audit/audit-record.js';
import { AuditFile } from '../../src/cli/audit-file.js';
import { chained, exported, fieldsOf, MadeUnit } from './made-log.js';

type Fields = Omit<AuditRecord, 'seq' | 'hash'>;

const FIELDS = ['act', 'by', 'instanceId', 'unitId', 'target', 'detail', 'correlationId', 'requestPath'] as const;

/** What somebody does to the records who then chains them anew, so that only the units' signature is against him. */
const FORGERIES: Readonly<Record<string, (lines: Fields[], at: number, other: number) => Fields[]>> = {
  edit: (lines, at, other) => {
    const line = lines[at] as Fields;
    const field = FIELDS[other % FIELDS.length] as (typeof FIELDS)[number];
    return lines.with(at, { ...line, [field]: field === 'detail' ? '{"refused":"FORBIDDEN"}' : `${line[field]}x` });
  },
  'edit of the outcome': (lines, at) => {
    const line = lines[at] as Fields;
    return lines.with(at, { ...line, outcome: line.outcome === 'success' ? 'failure' : 'success' });
  },
  'edit of the time': (lines, at) => {
    const line = lines[at] as Fields;
    return lines.with(at, { ...line, at: new Date(line.at.getTime() + 1) });
  },
  deletion: (lines, at) => lines.toSpliced(at, 1),
  insertion: (lines, at, other) => lines.toSpliced(at, 0, fieldsOf(other + 1_000_000)),
  'swap of two lines': (lines, at, other) => lines.with(at, lines[other] as Fields).with(other, lines[at] as Fields),
  truncation: (lines, at) => lines.slice(0, at),
};

/** What somebody does to the text of the file. */
const MUTILATIONS: Readonly<Record<string, (text: string[], at: number, other: number) => string[]>> = {
  'one character': (text, at, other) => {
    const line = text[at] as string;
    const place = other % line.length;
    const character = line[place] === '7' ? '8' : '7';
    return text.with(at, line.slice(0, place) + character + line.slice(place + 1));
  },
  'a line removed': (text, at) => text.toSpliced(at, 1),
  'a line twice': (text, at) => text.toSpliced(at, 0, text[at] as string),
  'two lines swapped': (text, at, other) => text.with(at, text[other] as string).with(other, text[at] as string),
  'the end cut off': (text, at) => text.slice(0, at),
  'a member more': (text, at) => text.with(at, `{"more":1,${(text[at] as string).slice(1)}`),
};

export interface TamperingReport {
  readonly tried: number;
  /** What was not found: kind and place. */
  readonly missed: readonly string[];
}

/** Tampers so often, at random, with the export of a log of so many lines, and has kp's reader look at each. */
export async function tamper(lines: number, times: number): Promise<TamperingReport> {
  const unit = new MadeUnit();
  const fields = Array.from({ length: lines }, (_, at) => fieldsOf(at + 1));
  const honest = chained(fields);
  const text = exported(honest, unit);
  const missed: string[] = [];
  for (let turn = 0; turn < times; turn += 1) {
    const kinds = turn % 2 === 0 ? FORGERIES : MUTILATIONS;
    const kind = Object.keys(kinds)[(turn >> 1) % Object.keys(kinds).length] ?? '';
    const [at, other] = twoOf(lines - 1);
    const forged = FORGERIES[kind]?.(fields, at, other);
    const same = Math.min(at, other, forged?.length ?? 0);
    const bent = forged
      ? exported(chained(forged, honest.slice(0, same)), unit, honest, text.slice(2, 2 + same))
      : (MUTILATIONS[kind]?.(text, at + 2, other + 2) ?? text);
    const found = await AuditFile.readLines([bent]).then(
      () => false,
      ({ code }: { code?: string }) => code === 'AUDIT_TAMPERED',
    );
    if (!found) missed.push(`${kind} at ${at}, ${other}`);
  }
  return { tried: times, missed };
}

/** Two different numbers below the limit; neighbours often, since a swap of neighbours is the smallest there is. */
function twoOf(limit: number): [number, number] {
  const first = randomInt(limit);
  const second = randomInt(4) === 0 ? (first + 1) % limit : randomInt(limit);
  return first === second ? [first, (first + 1) % limit] : [first, second];
}

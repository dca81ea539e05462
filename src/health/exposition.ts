import { Distribution } from '../shared/distribution.js';

export type Labels = Readonly<Record<string, string>>;

/** One series: its labels and what it is worth now. */
export interface Sample {
  readonly labels?: Labels;
  readonly value: number | Distribution;
}

/** A metric of Prometheus: `read` gives its series as they are at that moment. */
export interface Metric<Sources> {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** One sentence without a full stop. */
  readonly help: string;
  readonly labels: readonly string[];
  readonly read: (from: Sources) => Iterable<Sample>;
}

/** The text format of Prometheus, version 0.0.4. */
export function exposition<Sources>(metrics: readonly Metric<Sources>[], from: Sources): string {
  const lines = metrics.flatMap(({ name, type, help, read }) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...[...read(from)].flatMap((sample) => seriesOf(name, sample)),
  ]);
  return `${lines.join('\n')}\n`;
}

function seriesOf(name: string, { labels = {}, value }: Sample): string[] {
  if (!(value instanceof Distribution)) return [`${name}${labelText(labels)} ${value}`];
  const counts = value.cumulated();
  const bucket = (le: string, count: number) => `${name}_bucket${labelText({ le, ...labels })} ${count}`;
  const all = counts.at(-1) ?? 0;
  return [
    ...value.bounds.map((bound, at) => bucket(String(bound), counts[at] ?? 0)),
    bucket('+Inf', all),
    `${name}_sum${labelText(labels)} ${value.sum}`,
    `${name}_count${labelText(labels)} ${all}`,
  ];
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

import type { LoadWorld } from './load-world.js';
import { keepLog, type Row } from './report.js';
import { Tally } from './tally.js';

export interface Dose {
  /** Requests of each kind in a second. */
  readonly rate: number;
  readonly seconds: number;
  /** How often what happens once happens, where it is not a matter of time. */
  readonly times: number;
}

/** The dose on a machine that has less to give: KEYSTEAD_LOAD_RATE and KEYSTEAD_LOAD_SECONDS are the most of each. */
export function bounded({ rate, seconds, times }: Dose): Dose {
  const most = (name: string) => Number(process.env[name] ?? Number.POSITIVE_INFINITY);
  const share = Math.min(1, most('KEYSTEAD_LOAD_SECONDS') / seconds);
  return {
    rate: Math.min(rate, most('KEYSTEAD_LOAD_RATE')),
    seconds: seconds * share,
    times: Math.max(1, Math.round(times * share)),
  };
}

export interface Targets {
  /** Requests that may fail. */
  readonly failed?: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  readonly recoveryMs?: number;
}

/** What a scenario saw. */
export interface Seen {
  readonly tally: Tally;
  readonly faults?: number;
  readonly recoveries?: readonly number[];
  /** Acknowledged records that were gone. */
  readonly lost?: number;
  /** What must not be: it fails the test. */
  readonly wrong?: readonly string[];
  /** Figures of targets that were not reached, in words. */
  readonly missed?: readonly string[];
  readonly notes?: readonly string[];
}

export interface Scenario {
  readonly item: string;
  readonly name: string;
  readonly short: Dose;
  readonly long: Dose;
  readonly targets: Targets;
  /** It ends the server itself. */
  readonly endsServer?: true;
  readonly run: (load: LoadWorld, dose: Dose) => Promise<Seen>;
}

/** Runs a scenario: its row of the table, and what must not be. Latency is only reported, since it depends on the machine. */
export async function play(scenario: Scenario, load: LoadWorld, dose: Dose): Promise<{ row: Row; wrong: string[] }> {
  const { item, name, targets, endsServer } = scenario;
  const pid = load.world.serverPid;
  const seen = await scenario.run(load, dose);
  const { tally, faults = 0, recoveries = [], lost, notes = [] } = seen;
  const wrong = [...(seen.wrong ?? [])];
  if (tally.failures.length > (targets.failed ?? 0))
    wrong.push(`${tally.failures.length} failed${whenOf(tally)}: ${tally.kinds().slice(0, 3).join(', ')}`);
  if ((lost ?? 0) > 0) wrong.push(`${lost} acknowledged records are gone`);
  if (!endsServer && load.world.serverPid !== pid) wrong.push('the server is another one');
  if (load.world.log.includes('"event":"crash"')) wrong.push('the server crashed');
  const missed = [...wrong, ...(seen.missed ?? []), ...slowness(tally, recoveries, targets)];
  if (wrong.length > 0) keepLog(load.world.log);
  return { row: { item, name, tally, faults, recoveries, lost, missed, notes }, wrong };
}

/** Between which times: the server's log of then says more. */
function whenOf({ failures }: Tally): string {
  const times = failures.map(({ at }) => at).sort((a, b) => a - b);
  const [first, last] = [times[0], times.at(-1)].map((at) => new Date(at ?? 0).toISOString().slice(11, 19));
  return `, ${first} to ${last}`;
}

function slowness(tally: Tally, recoveries: readonly number[], { p50Ms, p99Ms, recoveryMs }: Targets): string[] {
  const slow = (what: string, figure: number, target: number | undefined) =>
    target !== undefined && figure > target ? [`${what} ${Math.round(figure)} ms, target ${target} ms`] : [];
  return [
    ...slow('p50', tally.percentile(0.5), p50Ms),
    ...slow('p99', tally.percentile(0.99), p99Ms),
    ...slow('recovery', Math.max(0, ...recoveries), recoveryMs),
  ];
}

/** The requests of several kinds of clients together. */
export function together(...tallies: readonly Tally[]): Tally {
  const sum = new Tally();
  for (const tally of tallies) sum.add(tally);
  return sum;
}

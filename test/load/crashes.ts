import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { until } from '../until.js';
import { DATA_KEY, type LoadWorld } from './load-world.js';
import type { Dose, Seen } from './scenario.js';
import { Tally } from './tally.js';
import { Writer } from './writer.js';

/** PostgreSQL is killed under load: requests are refused with 503 until it is back, and what was answered is there. */
export async function killPostgres(load: LoadWorld, { rate, seconds, times }: Dose): Promise<Seen> {
  const before = await load.audited('kms.secrets.wrap');
  const clients = load.wrapping(rate);
  const recoveries: number[] = [];
  for (let n = 0; n < times; n += 1) {
    await after((seconds / times) * 500);
    recoveries.push(await postgresKilled(load));
    await after((seconds / times) * 500);
  }
  const tally = await clients.stop();
  const lines = (await load.audited('kms.secrets.wrap')) - before;
  const other = tally.failures.filter(({ what }) => !what.startsWith('503 '));
  const refused = tally.failures.length - other.length;
  return {
    tally: withFailures(tally, other),
    faults: times,
    recoveries,
    lost: Math.max(0, tally.latencies.length - lines),
    notes: [`${refused} refused with 503 meanwhile; ${tally.latencies.length} answers, ${lines} audit records`],
  };
}

/** How many write at the same time. */
const WRITERS = 3;

/**
 * The server is killed while keys are created, imported, rotated and deleted; what it acknowledged is there afterwards.
 * Recovery is from its start to ready.
 */
export const killServer = writing(async (load) => {
  await load.world.killServer();
  const begun = Date.now();
  await load.world.launch();
  await load.answers('/readyz', 200);
  return Date.now() - begun;
}, []);

/** The same, and PostgreSQL is killed: the server refuses with 503 until it is back. */
export const killPostgresWriting = writing(postgresKilled, [503]);

/**
 * Something happens to those who write, again and again; after each time what they were told is looked up. Only with these
 * statuses may they be refused.
 */
function writing(happens: (load: LoadWorld) => Promise<number>, refusals: readonly number[]) {
  return async (load: LoadWorld, { times }: Dose): Promise<Seen> => {
    const tally = new Tally();
    const recoveries: number[] = [];
    const wrong: string[] = [];
    let refused = 0;
    let lost = 0;
    for (let n = 0; n < times; n += 1) {
      const server = load.world.serverPid;
      const writers = Array.from({ length: WRITERS }, () => new Writer(load, tally));
      const running = writers.map((writer) => writer.run());
      await after(100 + Math.random() * 400);
      recoveries.push(await happens(load));
      for (const writer of writers) writer.stop();
      const broken = (await Promise.all(running)).filter((cause) => cause !== undefined);
      if (load.world.serverPid === server) wrong.push(...broken); // else it was killed: its connections break
      for (const writer of writers) {
        const gone = await writer.missing();
        lost += gone.length;
        wrong.push(...gone);
        refused += writer.refusals.length;
        wrong.push(...writer.refusals.filter(({ status }) => !refusals.includes(status)).map(({ text }) => text));
      }
    }
    await load.served();
    return { tally, faults: times, recoveries, lost, wrong, notes: [`${refused} refused meanwhile`] };
  };
}

/** Kills the postmaster; the milliseconds until the server, with another one, wraps. */
async function postgresKilled(load: LoadWorld): Promise<number> {
  const pid = postmaster(load);
  process.kill(pid, 'SIGKILL');
  const killed = Date.now();
  await until(async () => ![0, pid].includes(postmaster(load)), 30_000);
  await load.answers('/readyz', 200);
  await until(async () => (await load.act(load.key, 'wrap', { plaintext: DATA_KEY })).status === 200, 30_000);
  return Date.now() - killed;
}

function postmaster(load: LoadWorld): number {
  try {
    return Number(readFileSync(join(load.world.dataDir, 'postgres', 'data', 'postmaster.pid'), 'utf8').split('\n')[0]);
  } catch {
    return 0; // between two of them
  }
}

function withFailures(tally: Tally, failures: Tally['failures']): Tally {
  const other = new Tally();
  other.sent = tally.sent;
  for (const latency of tally.latencies) other.good(latency);
  for (const failure of failures) other.failures.push(failure);
  return other;
}

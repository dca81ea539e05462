import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Journey } from './journey.js';
import { type Canary, Scanner } from './scanner.js';

/** Where something was found that must not be there. Empty lists, when all is well. */
export interface Found {
  readonly logs: readonly string[];
  readonly files: readonly string[];
  readonly starts: readonly string[];
  readonly memory: readonly string[];
  /** Bytes that were looked at. */
  readonly scanned: Readonly<Record<'logs' | 'files' | 'starts' | 'memory', number>>;
}

/** Looks everywhere for all secrets of the journey, and in the memory of the server for those it must never have had. */
export async function look(journey: Journey): Promise<Found> {
  const { world, hidden, clients, databaseDir, temporary } = journey;
  const logs = new Scanner([...hidden, ...clients]);
  const files = new Scanner([...hidden, ...clients]);
  const bootstrap = join(world.sharedDir, 'bootstrap-api-key');
  const places = [world.dir, temporary, ...(databaseDir.startsWith(world.dir) ? [] : [databaseDir])];
  const starts = new Scanner([...hidden, ...clients]);
  const memory = new Scanner(hidden);
  const inStarts = (await processesOf(journey)).flatMap((pid) => starts.inStart(pid));
  const inMemory = memory.inMemory(world.serverPid);
  const inFiles = places.flatMap((place) => files.below(place, (path) => path === bootstrap));
  return {
    logs: logs.in(Buffer.from(world.log)),
    files: inFiles,
    starts: inStarts,
    memory: inMemory,
    scanned: { logs: logs.scanned, files: files.scanned, starts: starts.scanned, memory: memory.scanned },
  };
}

/** The server, its agents and PostgreSQL with all that it started. */
async function processesOf({ world, databaseDir }: Journey): Promise<number[]> {
  const agents = (await world.units()).map(({ id }) => world.agentPid(id));
  const postmaster = Number(readFileSync(join(databaseDir, 'data', 'postmaster.pid'), 'utf8').split('\n')[0]);
  return [world.serverPid, ...agents, postmaster, ...childrenOf(postmaster)];
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}

/** Whether the memory of a process is read at all: something that it must have is found. */
export function isSeenIn(pid: number, something: string): boolean {
  const known: Canary = { name: basename(something), bytes: Buffer.from(something) };
  return new Scanner([known]).inMemory(pid).length > 0;
}

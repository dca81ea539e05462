import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as after } from 'node:timers/promises';
import type { LoadWorld } from './load-world.js';

const MIB = 1 << 20;
const MOST_SLOPE_MIB = 1;
/** A shorter time says nothing about how memory grows. */
const LEAST_FOR_SLOPE_S = 120;
/** Some come and go; one that is left open for each fault is more than that. */
const SPARE_FILES = 16;
const SAMPLE_MS = 250;

/** What a server and its agents hold at one time. */
export interface Footprint {
  readonly at: number;
  /** Resident bytes of all of them. */
  readonly memory: number;
  /** Open file descriptors of all of them, but for TCP connections: those are the load's. */
  readonly files: number;
  /** Open sessions of all tokens. */
  readonly sessions: number;
}

/** The footprint now; of memory the least that was seen in so many seconds, since garbage is collected now and then. */
export async function footprint(load: LoadWorld, seconds: number): Promise<Footprint> {
  const pids = [load.world.serverPid, ...load.units.map((unit) => load.world.agentPid(unit))];
  let memory = Number.POSITIVE_INFINITY;
  for (const end = Date.now() + seconds * 1_000; ; await after(SAMPLE_MS)) {
    memory = Math.min(
      memory,
      pids.reduce((sum, pid) => sum + load.rss(pid), 0),
    );
    if (Date.now() >= end) break;
  }
  const sessions = await load.metric('keystead_unit_sessions', 'state="open"');
  if (sessions === undefined) throw new Error('the metrics do not say how many sessions are open');
  return {
    at: Date.now(),
    memory,
    files: pids.reduce((sum, pid) => sum + openFiles(pid), 0),
    sessions,
  };
}

function openFiles(pid: number): number {
  const ofConnections = new Set(
    ['tcp', 'tcp6'].flatMap((name) => inodes(readFileSync(`/proc/${pid}/net/${name}`, 'latin1'))),
  );
  const targets = readdirSync(`/proc/${pid}/fd`).map((fd) => targetOf(`/proc/${pid}/fd/${fd}`));
  return targets.filter((target) => target !== undefined && !ofConnections.has(target)).length;
}

/** As /proc/PID/fd names the sockets of such a table. */
function inodes(table: string): string[] {
  const rows = table.trim().split('\n').slice(1);
  return rows.map((row) => `socket:[${row.trim().split(/\s+/)[9]}]`);
}

/** Undefined when it was closed meanwhile. */
function targetOf(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch {
    return undefined;
  }
}

/** What grew between two times that should not, and the figures in words. */
export function growth(first: Footprint, last: Footprint): { missed: string[]; notes: string[] } {
  const seconds = (last.at - first.at) / 1_000;
  const isLong = seconds >= LEAST_FOR_SLOPE_S;
  const slope = ((last.memory - first.memory) / MIB / seconds) * 60;
  const missed = [
    ...(isLong && slope > MOST_SLOPE_MIB
      ? [`memory of server and agents grows ${slope.toFixed(1)} MiB a minute, target ${MOST_SLOPE_MIB}`]
      : []),
    ...(last.files > first.files + SPARE_FILES ? [`open files: ${first.files}, later ${last.files}`] : []),
    ...(last.sessions > first.sessions
      ? [`open sessions of the tokens: ${first.sessions}, later ${last.sessions}`]
      : []),
  ];
  const notes = [
    `open sessions of the tokens: ${first.sessions} in the beginning, ${last.sessions} at the end; open files: ${first.files} and ${last.files}`,
    ...(isLong
      ? [
          `memory of server and agents: ${slope.toFixed(2)} MiB a minute, ${Math.round(last.memory / MIB)} MiB at the end`,
        ]
      : []),
  ];
  return { missed, notes };
}

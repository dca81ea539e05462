import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readIfThere } from '../shared/durable-file.js';

/** What a postmaster writes into its data directory about itself. */
export interface PostmasterPid {
  readonly pid: number;
  readonly port: number;
  /** Directory of its Unix socket, or its address on loopback. */
  readonly host: string;
}

/** postmaster.pid of a data directory: pid, data directory, start time, port, socket directory, address, … one a line. */
export function readPostmasterPid(data: string): PostmasterPid | undefined {
  const lines = readIfThere(join(data, 'postmaster.pid'))?.toString().split('\n') ?? [];
  const [pid, , , port, socketDirectory, address] = lines.map((line) => line.trim());
  const host = socketDirectory || address;
  if (!pid || !port || !host) return undefined;
  return { pid: Number(pid), port: Number(port), host };
}

/** The pid in postmaster.pid, also when the file is not finished. */
export function recordedPid(data: string): number | undefined {
  const pid = Number(readIfThere(join(data, 'postmaster.pid'))?.toString().split('\n')[0]);
  return Number.isInteger(pid) && pid > 0 ? pid : undefined;
}

/** Whether the process is a postmaster of this data directory, started by us. Pids are used again, and a zombie has no command line. */
export function isPostmasterOf(pid: number, data: string): boolean {
  return commandOf(pid).includes(`/postgres -D ${data} `);
}

export function isAlive(pid: number): boolean {
  return commandOf(pid) !== '';
}

/** Program and arguments of a process, with spaces between; empty when there is none. */
function commandOf(pid: number): string {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return ''; // no such process: that is the answer
  }
}

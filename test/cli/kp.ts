import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const KP = fileURLToPath(new URL('../../bin/kp', import.meta.url));

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}
export interface HowToRun {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** Bytes that the process finds on file descriptor 3. */
  readonly fd3?: string;
}

/** Starts `kp` from dist with an environment of its own; nobody sits at a terminal. */
export function startKp(args: readonly string[], { cwd, env, stdin, fd3 }: HowToRun = {}): ChildProcess {
  const child = spawn(process.execPath, [KP, ...args], {
    cwd,
    env: { PATH: process.env['PATH'] ?? '', HOME: cwd ?? '/nonexistent', ...env },
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  });
  child.stdin?.on('error', () => undefined); // it need not read it
  child.stdin?.end(stdin ?? '');
  const third = child.stdio[3] as NodeJS.WritableStream;
  third.on('error', () => undefined);
  third.end(fd3 ?? '');
  return child;
}

/** Runs `kp` to its end. */
export async function kp(args: readonly string[], how: HowToRun = {}): Promise<Ran> {
  const child = startKp(args, how);
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() };
}

/** A directory of one's own (0700), removed by `drop`. */
export async function ownDirectory(): Promise<{ path: string; drop: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'kp-'));
  return { path, drop: () => rm(path, { recursive: true, force: true }) };
}

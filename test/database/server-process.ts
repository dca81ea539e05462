import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';

const ROOT = join(import.meta.dirname, '../..');
const START_DEADLINE_MS = 40_000;

export interface StartOptions extends SpawnOptions {
  /** Words before `node keystead serve`. */
  readonly under?: readonly string[];
}

/** `keystead serve` on a data directory, as a process of its own, from dist. */
export class ServerProcess {
  #output = '';
  #code: number | null | undefined;

  private constructor(
    private readonly child: ChildProcess,
    private readonly dir: string,
  ) {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#output += chunk.toString();
      });
    }
    child.once('close', (code) => {
      this.#code = code;
    });
  }

  /** Starts a server on `dir`/data without waiting for it. */
  static launch(
    dir: string,
    env: Record<string, string> = {},
    { under = [], ...options }: StartOptions = {},
  ): ServerProcess {
    const command = [process.execPath, join(ROOT, 'bin', 'keystead'), 'serve'];
    const [program = process.execPath, ...words] = [...under, ...command];
    const child = spawn(program, words, {
      ...options,
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        KEYSTEAD_DATA_DIR: join(dir, 'data'),
        KEYSTEAD_RUNTIME_DIR: join(dir, 'run'),
        KEYSTEAD_PORT: '0',
        ...env,
      },
    });
    return new ServerProcess(child, dir);
  }

  /** Starts a server and waits until it listens. */
  static async start(
    dir: string,
    env: Record<string, string> = {},
    options: StartOptions = {},
  ): Promise<ServerProcess> {
    const server = ServerProcess.launch(dir, env, options);
    await until(() => server.#code !== undefined || server.event('listening') !== undefined, START_DEADLINE_MS);
    if (server.#code !== undefined) throw new Error(`the server did not start:\n${server.output}`);
    return server;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get output(): string {
    return this.#output;
  }

  get url(): string {
    return String(this.event('listening')?.['address']);
  }

  /** The last log line of one of the events. */
  event(...names: string[]): Record<string, unknown> | undefined {
    const lines = this.#output.split('\n').filter((line) => names.some((name) => line.includes(`"event":"${name}"`)));
    return lines.length === 0 ? undefined : JSON.parse(lines.at(-1) ?? '');
  }

  /** Pid of the postmaster that serves it. */
  get postmaster(): number {
    return Number(this.event('database-adopted', 'database-started')?.['pid']);
  }

  /** Status of a request that asks the database. */
  async status(): Promise<number> {
    const key = readFileSync(join(this.dir, 'data', 'bootstrap-api-key'), 'utf8').trim();
    const headers = { authorization: `Bearer ${key}` };
    return (await fetch(`${this.url}/api/v1/instances`, { headers, signal: AbortSignal.timeout(5_000) })).status;
  }

  /** Sends the signal and waits for the end. The exit code, null when a signal ended it. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.child.kill(signal);
    return this.ended();
  }

  async ended(): Promise<number | null> {
    await until(() => this.#code !== undefined, START_DEADLINE_MS);
    return this.#code ?? null;
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Polls until the question is answered with true; throws at the deadline. */
export async function until(ask: () => boolean | Promise<boolean>, deadlineMs: number): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  while (!(await ask())) {
    if (Date.now() > deadline) throw new Error(`not within ${deadlineMs} ms`);
    await after(20);
  }
}

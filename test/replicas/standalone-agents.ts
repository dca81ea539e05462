import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../processes.js';
import { until } from '../until.js';

const KEYSTEAD = join(ROOT, 'bin', 'keystead');
const START_DEADLINE_MS = 20_000;

/** An agent that runs by itself: `keystead agent --listen`, in a directory of its own. */
export class StandaloneAgent {
  log = '';
  #child: ChildProcess | undefined;

  constructor(
    readonly dir: string,
    readonly address: string,
    private readonly more: readonly string[] = [],
    private readonly env: Readonly<Record<string, string>> = {},
  ) {}

  get unitDir(): string {
    return join(this.dir, 'unit');
  }

  get unitId(): string {
    return JSON.parse(readFileSync(join(this.unitDir, 'unit.json'), 'utf8')).id;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Starts it and waits until it listens. */
  async start(): Promise<void> {
    const child = this.spawn();
    const from = this.log.length;
    await until(
      async () => {
        if (!this.running) throw new Error(`the agent ended at its start:\n${this.log}`);
        return this.log.slice(from).includes('"ready"');
      },
      START_DEADLINE_MS,
      () => `the agent did not start:\n${this.log}`,
    );
    if (child !== this.#child) throw new Error('another one was started meanwhile');
  }

  /** Starts it without waiting for anything. */
  spawn(): ChildProcess {
    const words = ['agent', '--unit-dir', this.unitDir, '--listen', this.address];
    const env = { PATH: process.env['PATH'] ?? '', ...this.env };
    const args = [KEYSTEAD, ...words, '--seal-key', join(this.dir, 'seal-key'), ...this.more];
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const keep = (chunk: Buffer) => {
      this.log += chunk.toString();
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    this.#child = child;
    return child;
  }

  /** Ends it; its exit code, or null when a signal ended it. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || !this.running) return child?.exitCode ?? null;
    const gone = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill(signal);
    if (signal !== 'SIGKILL') child.kill('SIGCONT');
    return gone;
  }
}

/** Three agents on Unix sockets below the directory, not started yet, and the file that names them. */
export function threeAgents(dir: string): { agents: StandaloneAgent[]; file: string } {
  const agents = [1, 2, 3].map((n) => {
    const own = join(dir, `agent-${n}`);
    mkdirSync(join(own, 'run'), { recursive: true, mode: 0o700 });
    return new StandaloneAgent(own, `unix:${join(own, 'run', 'agent.sock')}`);
  });
  const file = join(dir, 'agents.json');
  writeAgentsFile(file, agents);
  return { agents, file };
}

export function writeAgentsFile(file: string, agents: readonly StandaloneAgent[], tls?: object): void {
  const named = agents.map(({ address }, at) => ({ name: `unit-${at + 1}`, zone: `zone-${at + 1}`, address }));
  writeFileSync(file, JSON.stringify({ ...(tls !== undefined && { tls }), agents: named }));
}

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as after } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import type { CryptoUnit } from '../instances/crypto-unit.entity.js';
import type { KmsUser } from '../instances/kms-user.js';
import { messageOf } from '../shared/errors.js';
import { AgentConnection, type ConnectionOptions } from '../unit-agent/client.js';
import type { Agent } from './agent.js';

export interface AgentPaths {
  readonly unitDir: string;
  readonly socket: string;
  readonly sealKey: string;
}

const ENTRY = fileURLToPath(new URL('../unit-agent/main.js', import.meta.url));
/** No longer: a module that is well again serves within 3 s. */
const BACK_OFF_MS = [100, 200, 500, 1_000, 2_000] as const;
const STEADY_AFTER_MS = 10_000;
const LOGIN_PATIENCE_MS = 10_000;
const STOP_PATIENCE_MS = 5_000;
const ORPHAN_PATIENCE_MS = 3_000;
/** An agent makes many small objects that die at once: a nursery of 1 MiB serves them as well as one of 16. */
export const NODE_FLAGS = ['--max-semi-space-size=1'] as const;
/**
 * glibc keeps memory for each thread otherwise, though nearly all is used by one, and gives back the less the larger the
 * pieces were that it had (mallopt(3)).
 */
export const MALLOC = { MALLOC_ARENA_MAX: '1', MALLOC_TRIM_THRESHOLD_: '131072' } as const;
/** The agent's exit code when another agent holds the unit. */
const EXIT_UNIT_HELD = 75;

/**
 * Supervision of one agent.
 * 1. The agent's standard input is its life line: it exits when the server does, however the server ends.
 * 2. An agent that exits is started again, after a pause that grows while it keeps failing.
 * 3. `hung` is for an agent that hangs (nothing else ends a PKCS#11 call). SoftHSM can lose a whole token when it is
 *    killed inside C_Login, so an agent that said `login-begin` and not yet `login-end` gets time to finish.
 * 4. An agent of a server that died may hang and hold the unit: it is killed by its recorded pid, if that is an agent.
 */
export class AgentProcess implements Agent {
  readonly isolation = 'process-only';
  #child: ChildProcess | undefined;
  #ending: Promise<void> | undefined;
  #failures = 0;
  #stopped = new AbortController();
  #loggingIn = false;
  restarts = 0;

  constructor(
    readonly unitId: string,
    private readonly paths: AgentPaths,
    private readonly log: Logger,
    private readonly onReady: () => void,
  ) {}

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Makes the unit's directory: only ever called for a unit whose token was not made yet. */
  async prepare(unit: CryptoUnit): Promise<void> {
    await mkdir(this.paths.unitDir, { recursive: true, mode: 0o700 });
    const unitJson = { v: 1, id: unit.id, instance: unit.instanceId, ...unit.descriptor };
    await writeFile(join(this.paths.unitDir, 'unit.json'), `${JSON.stringify(unitJson, null, 2)}\n`, { mode: 0o600 });
  }

  connect(_user: KmsUser | undefined, options: ConnectionOptions): Promise<AgentConnection> {
    return AgentConnection.connect(this.paths.socket, options);
  }

  /** Starts the agent and keeps it running until `stop`. */
  start(): void {
    this.#ending ??= this.#keepRunning();
  }

  /** SIGTERM, and SIGKILL when the agent does not end by itself. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#child?.kill('SIGTERM');
    const patience = setTimeout(() => this.#child?.kill('SIGKILL'), STOP_PATIENCE_MS);
    await this.#ending;
    clearTimeout(patience);
  }

  /** Ends an agent that does not answer. It is started again at once. */
  async hung(why: string): Promise<void> {
    const child = this.#child;
    if (!child) return;
    const patience = Date.now() + LOGIN_PATIENCE_MS;
    while (this.#loggingIn && Date.now() < patience) await after(20);
    this.log.warn({ event: 'agent-kill', unit: this.unitId, pid: child.pid, why });
    child.kill('SIGKILL');
  }

  async #keepRunning(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      const startedAt = Date.now();
      const code = await this.#run();
      if (this.#stopped.signal.aborted) return;
      if (code === EXIT_UNIT_HELD) await this.#endOrphan();
      this.#failures = Date.now() - startedAt > STEADY_AFTER_MS ? 0 : this.#failures + 1;
      this.restarts += 1;
      const pause = BACK_OFF_MS[Math.min(this.#failures, BACK_OFF_MS.length - 1)] ?? 2_000;
      this.log.warn({ event: 'agent-exit', unit: this.unitId, code, restartInMs: pause });
      await after(pause, undefined, { signal: this.#stopped.signal }).catch(() => undefined); // stop() ends the pause
    }
  }

  #run(): Promise<number | null> {
    const { unitDir, socket, sealKey } = this.paths;
    const args = [ENTRY, '--unit-dir', unitDir, '--socket', socket, '--seal-key', sealKey, '--life-line'];
    // what opens the server to a debugger must not open an agent
    const env = { ...process.env, ...MALLOC, NODE_OPTIONS: '' };
    const child = spawn(process.execPath, [...NODE_FLAGS, ...args], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child = child;
    this.#loggingIn = false;
    child.stdin.on('error', () => undefined); // the life line carries nothing; its end is the message
    createInterface({ input: child.stdout }).on('line', (line) => this.#hear(line));
    return new Promise((resolve) => {
      child.once('error', (cause) => {
        this.log.error({ event: 'agent-spawn-failed', unit: this.unitId, cause: messageOf(cause) });
        resolve(null);
      });
      child.once('exit', (code) => resolve(code));
    }).then((code) => {
      this.#child = undefined;
      return code as number | null;
    });
  }

  #hear(line: string): void {
    const said = parseLine(line);
    if (said === undefined) return;
    if (said.event === 'login-begin') this.#loggingIn = true;
    if (said.event === 'login-end') this.#loggingIn = false;
    if (said.event === 'ready') this.onReady();
    const { level, time, pid, hostname, ...rest } = said;
    this.log[levelOf(level)]({ ...rest, unit: this.unitId });
  }

  async #endOrphan(): Promise<void> {
    await after(ORPHAN_PATIENCE_MS); // one whose life line broke ends by itself, unless it hangs
    const pid = await this.#recordedPid();
    if (pid === undefined || pid === this.pid || !(await isAgentOf(pid, this.paths.unitDir))) return;
    this.log.warn({ event: 'agent-orphan-kill', unit: this.unitId, pid });
    process.kill(pid, 'SIGKILL');
  }

  async #recordedPid(): Promise<number | undefined> {
    const text = await readFile(join(this.paths.unitDir, 'agent.pid'), 'utf8').catch(() => ''); // no file: no orphan
    const pid = Number(text.trim());
    return Number.isInteger(pid) && pid > 1 ? pid : undefined;
  }
}

/** pino's number of a level, by name: 40 is warn, 50 error. */
function levelOf(level = 30): 'info' | 'warn' | 'error' {
  if (level >= 50) return 'error';
  return level >= 40 ? 'warn' : 'info';
}

interface AgentLine {
  readonly event?: string;
  readonly level?: number;
  readonly time?: unknown;
  readonly pid?: unknown;
  readonly hostname?: unknown;
}

function parseLine(line: string): AgentLine | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as AgentLine) : undefined;
  } catch {
    return undefined; // a module wrote to standard output: not ours to interpret
  }
}

/** Whether the process still is an agent of this unit: pids are used again. */
async function isAgentOf(pid: number, unitDir: string): Promise<boolean> {
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''); // gone, or no /proc on this system
  return command.includes(unitDir);
}

import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as after } from 'node:timers/promises';
import { findSoftHsm } from '../../src/pkcs11/find-module.js';
import { AdminClient, AgentConnection, CryptoClient } from '../../src/unit-agent/client.js';

/** The agent as it is shipped: the test runner has built it. */
export const AGENT = resolve('dist/unit-agent/main.js');
const PATIENCE_MS = 20_000;

export interface LogLine {
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface StartOptions {
  /** Words before `node main.js …`, e.g. strace and its options. */
  readonly under?: readonly string[];
  readonly lifeLine?: boolean;
}

/** One unit in a directory of its own, and the agent processes that a test starts on it. */
export class AgentWorld {
  readonly root = mkdtempSync(join(tmpdir(), 'ks-agent-'));
  readonly unit = randomUUID();
  readonly unitDir = join(this.root, 'units', this.unit);
  readonly socket = join(this.root, 'agent.sock');
  readonly sealKey = join(this.root, 'seal-key');
  readonly lines: LogLine[] = [];
  stderr = '';
  /** Besides the environment of the test. */
  env: NodeJS.ProcessEnv = {};
  child: ChildProcess | undefined;
  #connections: AgentConnection[] = [];

  constructor(
    readonly instance: string = randomUUID(),
    descriptor: object = {},
  ) {
    mkdirSync(this.unitDir, { recursive: true, mode: 0o700 });
    this.describe(descriptor);
  }

  /** Writes unit.json: a SoftHSM unit, with these changes. */
  describe(descriptor: object): void {
    const { unit: id, instance } = this;
    const module = findSoftHsm();
    const config = { v: 1, id, instance, zone: 'z1', provider: 'softhsm', module, recordStore: 'token' };
    writeFileSync(join(this.unitDir, 'unit.json'), JSON.stringify({ ...config, ...descriptor }));
  }

  /** Starts the agent and waits until it is ready; undefined when it ended before. */
  async start(options: StartOptions = {}): Promise<void> {
    const child = this.spawn(options);
    const from = this.lines.length;
    await eventually(() => child.exitCode !== null || child.signalCode !== null || this.said('ready', from), 'ready');
  }

  spawn({ under = [], lifeLine = true }: StartOptions = {}): ChildProcess {
    const { unitDir, socket, sealKey } = this;
    const args = [AGENT, '--unit-dir', unitDir, '--socket', socket, '--seal-key', sealKey];
    const [program = process.execPath, ...rest] = [...under, process.execPath, ...args];
    const child = spawn(program, lifeLine ? [...rest, '--life-line'] : rest, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...this.env },
    });
    child.stdin?.on('error', () => undefined);
    child.stderr?.on('data', (piece) => {
      this.stderr += piece;
    });
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      this.lines.push(JSON.parse(line) as LogLine);
    });
    this.child = child;
    return child;
  }

  said(event: string, from = 0): boolean {
    return this.lines.slice(from).some((line) => line.event === event);
  }

  /** SIGTERM, or another signal, and waits for the end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    for (const connection of this.#connections.splice(0)) connection.close();
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once('exit', done));
    child.kill(signal);
    await ended;
  }

  /** Ends the life line and waits for the end: strace goes when its agent does. */
  async leave(): Promise<void> {
    const { child } = this;
    child?.stdin?.end();
    if (child && child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }

  async connect(deadlineMs = 10_000): Promise<AgentConnection> {
    const connection = await AgentConnection.connect(this.socket, { deadlineMs });
    this.#connections.push(connection);
    return connection;
  }

  async admin(): Promise<AdminClient> {
    return new AdminClient(await this.connect());
  }

  async crypto(identity: KeyObject): Promise<CryptoClient> {
    return CryptoClient.open(await this.connect(), identity);
  }

  async end(): Promise<void> {
    await this.stop('SIGKILL');
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Waits until the condition holds; fails after 20 s. */
export async function eventually(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${PATIENCE_MS} ms: ${what}`);
    await after(10);
  }
}

/** An RSA-2048 private key. */
export function rsaKey(): KeyObject {
  return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
}

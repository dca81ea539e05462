/** A server of its own for a demonstration or a test: free loopback port, temporary data directory, log in a file. */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ROOT } from './setup.mjs';

const START_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 20_000;
const POLL_MS = 50;
const TAIL_LINES = 40;

export class DemoServer {
  #child;
  #logFile;
  #ended = false;

  constructor(directory, port, { env = {}, preload } = {}) {
    this.url = `http://127.0.0.1:${port}`;
    this.dataDir = join(directory, 'data');
    this.#logFile = join(directory, 'server.log');
    const log = openSync(this.#logFile, 'a', 0o600);
    const words = [...(preload ? ['--import', preload] : []), join(ROOT, 'bin', 'keystead'), 'serve'];
    this.#child = spawn(process.execPath, words, {
      env: {
        ...withoutOurs(process.env),
        KEYSTEAD_HOST: '127.0.0.1',
        KEYSTEAD_PORT: String(port),
        KEYSTEAD_DATA_DIR: this.dataDir,
        KEYSTEAD_RUNTIME_DIR: join(directory, 'run'),
        ...env,
      },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.#child.on('exit', () => {
      this.#ended = true;
    });
  }

  /** Starts a server whose files are all below `directory`; with settings of its own, and a module that is loaded first. */
  static async launch(directory, options) {
    return new DemoServer(directory, await freePort(), options);
  }

  get pid() {
    return this.#child.pid;
  }

  /** What a GET of the path answers: { status, text }. */
  async get(path) {
    const answer = await fetch(this.url + path, { signal: AbortSignal.timeout(10_000) });
    return { status: answer.status, text: await answer.text() };
  }

  /** The log, line by line; its lines are JSON objects, but for what a crash writes. */
  logLines() {
    return existsSync(this.#logFile) ? readFileSync(this.#logFile, 'utf8').trimEnd().split('\n') : [];
  }

  logTail() {
    return this.logLines().slice(-TAIL_LINES).join('\n');
  }

  /** SIGTERM to the server's pid; it stops its agents and its database. Throws when it has to be killed. */
  async stop() {
    if (this.#ended) return;
    this.#child.kill('SIGTERM');
    const deadline = Date.now() + STOP_DEADLINE_MS;
    while (!this.#ended && Date.now() < deadline) await delay(POLL_MS);
    if (this.#ended) return;
    this.#child.kill('SIGKILL');
    throw new Error(
      `the server (pid ${this.#child.pid}) did not stop within ${STOP_DEADLINE_MS / 1000} s and was killed`,
    );
  }

  /** Waits until /livez answers. Throws when the server ends or takes too long. */
  async untilAlive() {
    const deadline = Date.now() + START_DEADLINE_MS;
    let last = 'no answer yet';
    while (Date.now() < deadline) {
      if (this.#ended) throw new Error('the server ended at its start');
      try {
        const { status, text } = await this.get('/livez');
        if (status === 200) return;
        last = `${status} ${text}`;
      } catch (cause) {
        last = String(cause.cause?.message ?? cause.message); // not listening yet
      }
      await delay(POLL_MS);
    }
    throw new Error(`the server did not come up in ${START_DEADLINE_MS / 1000} s: ${last}`);
  }
}

/** The environment without the settings of somebody's own server and instance. */
export function withoutOurs(env) {
  const keep = ['KEYSTEAD_SOFTHSM_MODULE'];
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => keep.includes(name) || !/^(KEYSTEAD|KP)_/.test(name)),
  );
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer().on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

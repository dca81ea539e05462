import { Worker } from 'node:worker_threads';

const TICK_MS = 250;

/** Shared with the other thread: the time of the last tick, and whether C_Login is under way. */
interface Shared {
  readonly beat: BigInt64Array;
  readonly login: Int32Array;
}

/** Runs on a thread of its own, so that a PKCS#11 call that never returns does not stop it. */
const WATCH = `
  const { workerData } = require('node:worker_threads');
  const { beat, login, pid, deadlineMs, loginMs } = workerData;
  setInterval(() => {
    const silent = Date.now() - Number(Atomics.load(beat, 0));
    if (silent <= deadlineMs || (Atomics.load(login, 0) === 1 && silent <= loginMs)) return;
    require('node:fs').writeSync(1, JSON.stringify({ level: 50, time: Date.now(), event: 'hung', silentMs: silent }) + '\\n');
    process.kill(pid, 'SIGKILL');
  }, ${TICK_MS});
`;

/**
 * Ends this process when its one thread is stuck: nothing else ends a PKCS#11 call that hangs, and an agent that runs by
 * itself has no server that would. Whoever keeps it running (systemd, a container runtime) starts it again. C_Login gets
 * twice the time: SoftHSM can lose a whole token when it is killed in there.
 */
export class Watchdog {
  readonly #shared: Shared = {
    beat: new BigInt64Array(new SharedArrayBuffer(8)),
    login: new Int32Array(new SharedArrayBuffer(4)),
  };

  constructor(deadlineMs: number) {
    this.#tick();
    setInterval(() => this.#tick(), TICK_MS).unref();
    const workerData = { ...this.#shared, pid: process.pid, deadlineMs, loginMs: 2 * deadlineMs };
    const resourceLimits = { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 2 };
    new Worker(WATCH, { eval: true, workerData, resourceLimits }).unref();
  }

  /** What the agent logs says when it logs in. */
  hear(event: unknown): void {
    if (event === 'login-begin' || event === 'login-end') this.#tick();
    if (event === 'login-begin') Atomics.store(this.#shared.login, 0, 1);
    if (event === 'login-end') Atomics.store(this.#shared.login, 0, 0);
  }

  #tick(): void {
    Atomics.store(this.#shared.beat, 0, BigInt(Date.now()));
  }
}

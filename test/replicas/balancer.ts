import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../processes.js';
import { until } from '../until.js';
import type { World } from '../world.js';

/** The file of docs/deployment.md and of the compose set-up, for HAProxy 2.4 and newer. */
export const HAPROXY_FILE = join(import.meta.dirname, '..', '..', 'deploy', 'haproxy.cfg');

const FOUND = spawnSync('haproxy', ['-v'], { encoding: 'utf8', env: { PATH: `${process.env['PATH']}:/usr/sbin` } });
/** Undefined where there is no HAProxy: `apt-get install haproxy`. */
export const haproxyVersion = FOUND.status === 0 ? FOUND.stdout.split('\n')[0] : undefined;

/** HAProxy in front of the servers, configured by the project's own file. */
export class Balancer {
  log = '';
  #child: ChildProcess | undefined;

  private constructor(readonly url: string) {}

  static async start(dir: string, worlds: readonly World[], file: string): Promise<Balancer> {
    const port = await freePort();
    const balancer = new Balancer(`http://127.0.0.1:${port}`);
    const [first, second] = worlds.map(({ url }) => new URL(url).host);
    const own = join(dir, 'haproxy.cfg');
    writeFileSync(own, file);
    const env = {
      PATH: `${process.env['PATH']}:/usr/sbin`,
      BALANCER_BIND: `127.0.0.1:${port}`,
      API_1: first ?? '',
      API_2: second ?? '',
    };
    const child = spawn('haproxy', ['-db', '-f', own], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    balancer.#child = child;
    const keep = (chunk: Buffer) => {
      balancer.log += chunk.toString();
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    await until(
      async () => (await fetch(`${balancer.url}/readyz`).catch(() => undefined))?.status === 200,
      10_000,
      () => `HAProxy does not serve:\n${balancer.log}`,
    );
    return balancer;
  }

  /** Waits until it sends requests to all servers: it takes a while to believe in one that is back. */
  async sendsToAll(): Promise<void> {
    const last = (n: number) => [...this.log.matchAll(new RegExp(`Server api/api-${n} is (UP|DOWN)`, 'g'))].at(-1)?.[1];
    await until(async () => [1, 2].every((n) => last(n) !== 'DOWN'), 10_000);
  }

  async end(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await gone;
  }
}

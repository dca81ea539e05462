import { readFileSync } from 'node:fs';
import { createKey, instanceHeader } from '../units.js';
import { until } from '../until.js';
import type { World } from '../world.js';
import { Balancer, HAPROXY_FILE, haproxyVersion } from './balancer.js';
import { Replicas } from './replicas.js';

const DATA_KEY = Buffer.alloc(32, 7).toString('base64');

/** Clients that wrap through the load balancer without a pause, until `stop`. */
class ProxiedLoad {
  readonly failures: string[] = [];
  served = 0;
  #stopped = false;
  readonly #clients: Promise<void>[];

  constructor(
    private readonly url: string,
    private readonly world: World,
    private readonly key: string,
    clients = 4,
  ) {
    this.#clients = Array.from({ length: clients }, () => this.#run());
  }

  /** Waits until so many more were served. */
  more(count: number): Promise<void> {
    const aim = this.served + count;
    return until(
      async () => this.served >= aim,
      20_000,
      () => `no ${count} requests were served; failures: ${this.failures.slice(0, 5).join(' | ')}`,
    );
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#clients);
  }

  async #run(): Promise<void> {
    const headers = { authorization: `Bearer ${this.world.apiKey}`, ...instanceHeader(this.world) };
    const request = { method: 'POST', headers, body: JSON.stringify({ plaintext: DATA_KEY }) };
    while (!this.#stopped) {
      try {
        const answer = await fetch(`${this.url}/api/v2/keys/${this.key}/actions/wrap`, request);
        const text = await answer.text();
        if (answer.status === 200) this.served += 1;
        else this.failures.push(`${answer.status} ${text}`);
      } catch (cause) {
        this.failures.push(String(cause));
      }
    }
  }
}

const why = haproxyVersion === undefined ? ' (not run: haproxy is not installed)' : '';
(haproxyVersion === undefined ? describe.skip : describe)(`behind HAProxy${why}`, () => {
  let replicas: Replicas;
  let balancer: Balancer;
  let load: ProxiedLoad;
  beforeAll(async () => {
    replicas = await Replicas.initialised({ KEYSTEAD_DRAIN_MS: '2000' });
    balancer = await Balancer.start(replicas.dir, replicas.both, readFileSync(HAPROXY_FILE, 'utf8'));
    const key = await createKey(replicas.first, 'root');
    load = new ProxiedLoad(balancer.url, replicas.first, key);
    await load.more(50);
  }, 180_000);
  afterAll(async () => {
    await load?.stop();
    await balancer?.end();
    await replicas?.end();
  });
  afterEach(async () => {
    await load.more(50);
    expect(load.failures).toEqual([]);
  });

  const allServe = async () => {
    await replicas.ready();
    await balancer.sendsToAll();
  };

  it('a rolling restart of both servers fails no request, and each is gone within 10 s', async () => {
    for (const world of replicas.both) {
      const began = Date.now();
      await world.stopServer();
      expect(Date.now() - began).toBeLessThan(10_000);
      await load.more(50);
      await world.launch();
      await allServe();
      await load.more(50);
    }
  }, 90_000);

  it('a server that is killed costs no client a request', async () => {
    await replicas.second.killServer();
    await load.more(100);
    await replicas.second.launch();
    await allServe();
    await replicas.first.killServer();
    await load.more(100);
    await replicas.first.launch();
    await allServe();
  }, 90_000);

  it('agents that are restarted one after the other, as for an upgrade, fail no request', async () => {
    for (const agent of replicas.agents) {
      expect(await agent.end()).toBe(0);
      await load.more(50);
      await agent.start();
      await allServe();
    }
  }, 90_000);

  it('an agent that is killed, and one that hangs, fail no request', async () => {
    const [killed, hung] = replicas.agents;
    await killed?.end('SIGKILL');
    await load.more(100);
    await killed?.start();
    await allServe();
    process.kill(hung?.pid ?? 0, 'SIGSTOP');
    await load.more(200);
    process.kill(hung?.pid ?? 0, 'SIGCONT');
    await allServe();
  }, 90_000);
});

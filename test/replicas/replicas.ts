import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeDatabase, type OwnDatabase } from '../database/own-database.js';
import { until } from '../until.js';
import { World } from '../world.js';
import { type StandaloneAgent, threeAgents } from './standalone-agents.js';

/** Two API processes on one PostgreSQL, with three agents that run by themselves. */
export class Replicas {
  private constructor(
    readonly dir: string,
    readonly agents: readonly StandaloneAgent[],
    readonly database: OwnDatabase,
    readonly first: World,
    readonly second: World,
  ) {}

  static async start(env: Readonly<Record<string, string>> = {}): Promise<Replicas> {
    const dir = mkdtempSync(join(tmpdir(), 'ksr-'));
    const { agents, file } = threeAgents(dir);
    const sharedDir = join(dir, 'shared');
    mkdirSync(sharedDir, { mode: 0o700 });
    const [database] = await Promise.all([makeDatabase(), ...agents.map((agent) => agent.start())]);
    const options = {
      database: database.url,
      sharedDir,
      env: { KEYSTEAD_AGENTS_FILE: file, KEYSTEAD_IMPORT_PAIR_POOL: '0', ...env },
    };
    const [first, second] = await Promise.all([World.start(options), World.start(options)]);
    return new Replicas(dir, agents, database, first, second);
  }

  /** Both serve an instance of three units whose ceremony went through the first one. */
  static async initialised(env: Readonly<Record<string, string>> = {}): Promise<Replicas> {
    const replicas = await Replicas.withInstance(env);
    await replicas.first.initialise();
    await replicas.ready();
    return replicas;
  }

  /** Both know an instance of three reserved units. */
  static async withInstance(env: Readonly<Record<string, string>> = {}): Promise<Replicas> {
    const replicas = await Replicas.start(env);
    const { first, second } = replicas;
    const made = await first.kp('instance', 'create', 'SHARED', '--crypto-units', '3', '-o', 'json');
    if (made.code !== 0) throw new Error(`instance create failed: ${made.stderr}\n${first.logTail()}`);
    first.instance = JSON.parse(made.stdout).id;
    second.instance = first.instance;
    return replicas;
  }

  get both(): readonly World[] {
    return [this.first, this.second];
  }

  /** Waits until both serve from all three units. */
  async ready(): Promise<void> {
    for (const world of this.both) {
      await until(
        async () => (await world.api('GET', '/health')).body?.state === 'operational',
        20_000,
        () => `a replica does not serve from all its units:\n${world.logTail()}`,
      );
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.both.map((world) => world.end()));
    await Promise.all(this.agents.map((agent) => agent.end()));
    await this.database.drop();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

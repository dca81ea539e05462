import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import pg from 'pg';
import type { Machine } from '../machine.js';
import { freePort, ROOT, run } from '../processes.js';
import { Certificates } from '../replicas/certificates.js';
import { StandaloneAgent, writeAgentsFile } from '../replicas/standalone-agents.js';
import { type Expected, succeed, unitOf } from '../units.js';
import { until } from '../until.js';
import { World } from '../world.js';

/** A busy machine is no fault of a unit's: the pages make others. What is quick elsewhere may cost less here. */
const UNHURRIED = { KEYSTEAD_CALL_DEADLINE_MS: '20000', KEYSTEAD_PROBE_INTERVAL_MS: '1000' };
const LOOK_EVERY_MS = 250;
const PATIENCE_MS = 45_000;

/**
 * An installation as docs/installation.md makes it, as far as one user of one machine can: an API process, and agents that run by
 * themselves: 1 with a SoftHSM2 token of its own, 2 the same over TLS, 3 with a prepared token and a PIN file.
 */
export class Station {
  readonly agents: StandaloneAgent[] = [];
  readonly #ids = new Map<number, string>();
  /** What the pages' shell variables say now. */
  #variables: Record<string, string> = {};

  private constructor(
    readonly dir: string,
    readonly certificates: Certificates,
    private readonly prepared: { readonly module: string; readonly serial: string; readonly pinFile: string },
    readonly world: World,
  ) {}

  static async start(): Promise<Station> {
    const dir = mkdtempSync(join(tmpdir(), 'kso-'));
    const certificates = new Certificates(join(dir, 'ca'));
    const hsm = join(dir, 'hsm');
    const made = await succeed(run(join(ROOT, 'softhsm', 'init-units.sh'), [hsm, '1'], { env: path() }));
    const prepared = JSON.parse(made.stdout).units[0];
    const agents = await threeKinds(dir, certificates, prepared);
    await Promise.all(agents.map((agent) => agent.start()));
    writeAgentsFile(join(dir, 'agents.json'), agents, certificates.issue('server'));
    const world = await World.start({ env: { ...UNHURRIED, KEYSTEAD_AGENTS_FILE: join(dir, 'agents.json') } });
    const station = new Station(dir, certificates, prepared, world);
    station.agents.push(...agents);
    return station;
  }

  /** The unit of the n-th agent; what the pages' variables name from here on. */
  about(n: number): string {
    const agent = this.agent(n);
    this.#variables = {
      UNIT: this.#ids.get(n) ?? agent.unitId,
      UNIT_DIR: agent.unitDir,
      SEAL_KEY: join(agent.dir, 'seal-key'),
      PIN_FILE: this.prepared.pinFile,
    };
    this.#ids.set(n, agent.unitId);
    return agent.unitId;
  }

  agent(n: number): StandaloneAgent {
    const agent = this.agents[n - 1];
    if (agent === undefined) throw new Error(`there is no agent ${n}`);
    return agent;
  }

  /** Where the copies of what is lost lie, and where the pages' lines for an agent's host are typed. */
  get agentHost(): string {
    return this.dir;
  }

  get pinFile(): string {
    return this.prepared.pinFile;
  }

  /** A fourth agent, free, in the agents file. */
  async addAgent(): Promise<void> {
    const fresh = localAgent(this.dir, this.agents.length + 1);
    await fresh.start();
    this.agents.push(fresh);
    const { tls } = JSON.parse(readFileSync(join(this.dir, 'agents.json'), 'utf8'));
    writeAgentsFile(join(this.dir, 'agents.json'), this.agents, tls);
  }

  async restart(n: number): Promise<void> {
    await this.agent(n).end();
    await this.agent(n).start();
  }

  /** Waits until the unit of the n-th agent is in a bad way, and says these words of it. */
  async isSeen(n: number, [type, status, reason]: Expected, words = ''): Promise<void> {
    const id = this.about(n);
    await this.#see(async () =>
      (await unitOf(this.world, id)).conditions.some(
        (one) =>
          one.type === type &&
          one.status === status &&
          (reason === undefined || one.reason === reason) &&
          one.message.includes(words),
      ),
    );
  }

  /** Waits until the unit of the n-th agent serves. */
  async serves(n: number): Promise<void> {
    const id = this.about(n);
    await this.#see(async () => (await this.world.api('GET', `/health/units/${id}`)).status === 200);
  }

  /** Waits until /readyz says this; without a word, that nothing is wrong. */
  async becomes(state = 'operational'): Promise<void> {
    await this.#see(async () => (await this.world.api('GET', '/readyz')).body.state === state);
  }

  async #see(what: () => Promise<boolean>): Promise<void> {
    const look = async () => (await what()) || (await after(LOOK_EVERY_MS, false));
    await until(look, PATIENCE_MS, () => `it was not seen:\n${this.world.logTail()}`);
  }

  /** Destroys the master key on the prepared token, while nobody else has it open. */
  async destroyMasterKey(): Promise<void> {
    await this.agent(3).end();
    const { module, serial, pinFile } = this.prepared;
    const script = join(ROOT, 'test', 'operator-docs', 'destroy-master-key.mjs');
    const line = `exec "${process.execPath}" "${script}" "${module}" ${serial} <"${pinFile}"`;
    const env = { ...path(), SOFTHSM2_CONF: join(this.dir, 'hsm', 'softhsm2.conf') };
    const { stdout } = await succeed(run('sh', ['-c', line], { env }));
    if (stdout !== '2\n') throw new Error(`destroyed ${stdout}`);
    await this.agent(3).start();
  }

  /** The owner of the database, who stops at nothing. */
  async sql(text: string): Promise<void> {
    const client = new pg.Client({ connectionString: this.world.databaseUrl });
    await client.connect();
    try {
      await client.query(text);
    } finally {
      await client.end();
    }
  }

  /** The shell of somebody in the ceremony. What the agents' logs show is what people compare. */
  shellOf(machine: Machine) {
    return (lines: string) => {
      const log = this.agents.map((agent) => agent.log).join('');
      const keys = [...log.matchAll(/"unitKey":"([0-9a-f]{64})"/g)].map(([, key]) => key);
      const env = { ...machine.env(), ...this.#secrets(), UNIT_KEYS: keys.join(',') };
      return run('sh', ['-e', '-c', lines], { cwd: machine.home, env });
    };
  }

  /** What leaves the ceremony goes to the machine of the drills, with what it knows of the units; then the laptop is wiped. */
  carryAway(laptop: Machine): void {
    const { files, dir } = this.world;
    for (const n of [1, 2, 3]) {
      copyFileSync(join(laptop.home, `bag-${n}`, `share-${n}.key`), join(files, `share-${n}.key`));
    }
    copyFileSync(join(laptop.home, 'admin.key'), join(files, 'admin.key'));
    copyFileSync(join(dir, 'home-second', 'second.key'), join(files, 'second.key'));
    for (const name of ['second', 'third'])
      copyFileSync(join(laptop.shared, `${name}.pem`), join(files, `${name}.pem`));
    cpSync(join(laptop.home, '.keystead'), join(dir, 'kp'), { recursive: true });
    rmSync(laptop.home, { recursive: true });
  }

  #secrets(): Record<string, string> {
    const { ADMIN_PASSPHRASE = '', SHARE_1 = '', SHARE_2 = '', SHARE_3 = '' } = this.world.kpEnv();
    const others = { BOB: 'a lamp in the window', SECOND: 'the passphrase of second' };
    return { ADMIN_PASSPHRASE, SHARE_1, SHARE_2, SHARE_3, ...others };
  }

  /** The shells that the pages name. */
  shells() {
    const { world, dir, certificates } = this;
    const shell = (cwd: string, more: () => Record<string, string>) => (lines: string) => {
      const env = { ...world.kpEnv(), ...this.#secrets(), ...path(), ...this.#variables, ...more() };
      return run('sh', ['-e', '-c', lines], { cwd, env });
    };
    const ahead = join(ROOT, 'test', 'operator-docs', 'two-hours-ahead.mjs');
    return {
      admin: shell(world.files, () => ({})),
      'two-hours-ahead': shell(world.files, () => ({ NODE_OPTIONS: `--import=${ahead}` })),
      agent: shell(this.agentHost, () => ({})),
      ca: shell(certificates.dir, () => ({})),
      server: shell(dir, () => this.#serverEnv()),
    };
  }

  #serverEnv(): Record<string, string> {
    const { dataDir, dir, databaseUrl } = this.world;
    return {
      KEYSTEAD_DATA_DIR: dataDir,
      KEYSTEAD_RUNTIME_DIR: join(dir, 'run'),
      KEYSTEAD_DATABASE_URL: databaseUrl,
      KEYSTEAD_AGENTS_FILE: join(this.dir, 'agents.json'),
    };
  }

  async end(): Promise<void> {
    await this.world.end();
    await Promise.all(this.agents.map((agent) => agent.end()));
    rmSync(this.dir, { recursive: true, force: true });
  }
}

const path = () => ({ PATH: `${join(ROOT, 'bin')}:${process.env['PATH'] ?? ''}` });

function localAgent(dir: string, n: number, more: string[] = [], env = {}): StandaloneAgent {
  const own = join(dir, `agent-${n}`);
  mkdirSync(join(own, 'run'), { recursive: true, mode: 0o700 });
  return new StandaloneAgent(own, `unix:${join(own, 'run', 'agent.sock')}`, more, env);
}

async function threeKinds(
  dir: string,
  certificates: Certificates,
  { module, serial, pinFile }: { module: string; serial: string; pinFile: string },
): Promise<StandaloneAgent[]> {
  const { certFile, keyFile, caFile } = certificates.issue('unit-2');
  const tls = ['--tls-cert', certFile, '--tls-key', keyFile, '--tls-client-ca', caFile];
  const far = join(dir, 'agent-2');
  mkdirSync(far, { mode: 0o700 });
  const token = ['--module', module, '--token-serial', serial, '--pin-file', pinFile];
  return [
    localAgent(dir, 1),
    new StandaloneAgent(far, `tls:127.0.0.1:${await freePort()}`, tls),
    localAgent(dir, 3, token, { SOFTHSM2_CONF: join(dir, 'hsm', 'softhsm2.conf') }),
  ];
}

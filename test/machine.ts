import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Ran, ROOT, run } from './processes.js';
import type { World } from './world.js';

/** The machine of one person: a home of their own with its own known units, files and passphrase. */
export class Machine {
  readonly home: string;

  private constructor(
    readonly world: World,
    readonly name: string,
    /** Without: no API key and no way to the server. */
    private readonly online: boolean,
  ) {
    this.home = join(world.dir, `home-${name}`);
    mkdirSync(this.home, { mode: 0o700 });
    mkdirSync(this.shared, { recursive: true, mode: 0o700 });
  }

  static online(world: World, name: string): Machine {
    return new Machine(world, name, true);
  }
  static offline(world: World, name: string): Machine {
    return new Machine(world, name, false);
  }

  /** What people hand files over in. */
  get shared(): string {
    return join(this.world.dir, 'handover');
  }
  /** The receipt keys in the agents' own log, with commas: what people compare. */
  get unitKeys(): string {
    return [...this.world.log.matchAll(/"unitKey":"([0-9a-f]{64})"/g)].map(([, key]) => key).join(',');
  }

  env(): Record<string, string> {
    const { dataDir, url } = this.world;
    return {
      PATH: `${join(ROOT, 'bin')}:${process.env['PATH'] ?? ''}`,
      HOME: this.home,
      HANDOVER: this.shared,
      PASS: `the passphrase of ${this.name}`,
      UNIT_KEYS: this.unitKeys,
      KP_TARGET_ADDR: this.online ? url : 'http://127.0.0.1:9',
      ...(this.online && { KP_API_KEY_FILE: join(dataDir, 'bootstrap-api-key') }),
    };
  }

  kp(...args: string[]): Promise<Ran> {
    return run(process.execPath, [join(ROOT, 'bin', 'kp'), ...args], { cwd: this.home, env: this.env() });
  }

  /** Lines as typed into this machine's shell; the first that fails ends them. */
  sh(lines: string): Promise<Ran> {
    return run('sh', ['-e', '-c', lines], { cwd: this.home, env: this.env() });
  }

  /** What kp prints; throws with all it said when it does not end with 0. */
  async succeed(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.kp(...args);
    if (code !== 0) throw new Error(`${this.name}: kp ${args.join(' ')}: exit ${code}\n${stdout}${stderr}`);
    return stdout;
  }
}

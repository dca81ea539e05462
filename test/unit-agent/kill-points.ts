import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeSigKey } from '../../src/admins/certificate-maker.js';
import { publicPartOf } from '../../src/admins/sig-key-file.js';
import type { AdminClient } from '../../src/unit-agent/client.js';
import type { UnitFacts } from '../../src/unit-agent/protocol.js';
import { AgentWorld, eventually } from './agent-world.js';
import { Ceremony } from './ceremony.js';

/**
 * SIGKILL at every file system call of an act, the Nth one of each kind, by strace's fault injection: no hook in the agent.
 * SoftHSM writes an object in some thirty rounds of ftruncate and write; our own files are made by rename and removed by unlink.
 */
export const SYSCALLS = ['ftruncate', 'write', 'rename', 'unlink', 'rmdir'] as const;
export type Syscall = (typeof SYSCALLS)[number];

/** Whether strace can hold a process here; not on macOS, and not in every container. */
export const canKill = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0;

export type StepName = 'claim' | 'user.add' | 'mk.import' | 'zeroize';

interface Step {
  /** Brings the unit to the point before the act; run once, and its directory is kept. */
  readonly before: (ceremony: Ceremony, admin: AdminClient) => Promise<unknown>;
  /** What must be done in the same process just before; its end is what is sent under the kill. */
  readonly prepare: (ceremony: Ceremony, admin: AdminClient) => Promise<() => Promise<unknown>>;
  /** Whether the act has taken effect. */
  readonly done: (facts: UnitFacts) => boolean;
  /** What an administrator does who sees that it has not. */
  readonly retry: (ceremony: Ceremony, admin: AdminClient) => Promise<unknown>;
  /** Objects besides unit records when it is done. */
  readonly objects: number;
}

const nothing = async () => undefined;
const bob = { type: 'admin', name: 'bob', certificate: '' };
const command = async (ceremony: Ceremony, admin: AdminClient, op: 'user.add' | 'zeroize', args: object) => {
  const document = await ceremony.document(admin, op, args);
  return () => admin.command(document);
};

export const STEPS: Readonly<Record<StepName, Step>> = {
  claim: {
    before: nothing,
    prepare: async (ceremony, admin) => () => ceremony.claim(admin),
    done: ({ record }) => record !== null,
    retry: (ceremony, admin) => ceremony.claim(admin),
    objects: 3,
  },
  'user.add': {
    before: (ceremony, admin) => ceremony.claim(admin),
    prepare: (ceremony, admin) => command(ceremony, admin, 'user.add', bob),
    done: ({ record }) => record?.admins.length === 2,
    retry: (ceremony, admin) => ceremony.command(admin, 'user.add', bob),
    objects: 4,
  },
  'mk.import': {
    before: (ceremony, admin) => ceremony.claim(admin),
    prepare: async (ceremony, admin) => {
      const made = await ceremony.command(admin, 'mk.importer', {});
      const document = await ceremony.document(admin, 'mk.import', ceremony.importArgs(made));
      return () => admin.command(document);
    },
    done: ({ masterKeyMatches }) => masterKeyMatches === true,
    retry: (ceremony, admin) => ceremony.importMasterKey(admin),
    objects: 5,
  },
  zeroize: {
    before: (ceremony, admin) => ceremony.initialise(admin),
    prepare: (ceremony, admin) => command(ceremony, admin, 'zeroize', { force: false }),
    done: ({ record, zeroized }) => record === null && zeroized !== null,
    retry: async (ceremony, admin) => (await command(ceremony, admin, 'zeroize', { force: false }))(),
    objects: 0,
  },
};

/** One unit whose directory stands as it was before the step, again and again. */
export class KillWorld {
  readonly #world = new AgentWorld();
  readonly #ceremony = new Ceremony(this.#world);
  readonly #kept = join(this.#world.root, 'kept');

  private constructor(private readonly step: Step) {}

  static async before(name: StepName): Promise<KillWorld> {
    if (bob.certificate === '') {
      const key = await makeSigKey('bob', null);
      bob.certificate = await publicPartOf(key, 'bob.pem', async () => null);
    }
    const made = new KillWorld(STEPS[name]);
    await made.#world.start();
    await made.step.before(made.#ceremony, await made.#world.admin());
    await made.#world.stop();
    cpSync(made.#world.unitDir, made.#kept, { recursive: true });
    return made;
  }

  /** How many calls of each kind the step makes when nobody is killed. */
  async count(): Promise<Record<Syscall, number>> {
    const trace = join(this.#world.root, 'trace');
    await this.#run(['-o', trace, '-e', `trace=${SYSCALLS.join(',')}`]);
    const lines = readFileSync(trace, 'utf8').split('\n');
    const counted = SYSCALLS.map((name) => [name, lines.filter((line) => line.startsWith(`${name}(`)).length]);
    return Object.fromEntries(counted) as Record<Syscall, number>;
  }

  /**
   * Kills the agent at the nth call, starts it again and retries once when the act has not taken effect. The facts at the
   * end, and whether an answer was given before the kill.
   */
  async killAt(syscall: Syscall, nth: number): Promise<{ answered: boolean; afterKill: UnitFacts; facts: UnitFacts }> {
    const inject = `inject=${syscall}:signal=SIGKILL:when=${nth}`;
    const answered = await this.#run(['-o', '/dev/null', '-e', `trace=${syscall}`, '-e', inject]);
    await this.#world.start();
    const admin = await this.#world.admin();
    const afterKill = (await admin.probe()).facts;
    if (!this.step.done(afterKill)) await this.step.retry(this.#ceremony, admin);
    const { facts } = await admin.probe();
    await this.#world.stop();
    return { answered, afterKill, facts };
  }

  /** Undefined when all is as it must be after a kill and one retry; else what is not. */
  judge({ answered, afterKill, facts }: Awaited<ReturnType<KillWorld['killAt']>>): string | undefined {
    if (answered && !this.step.done(afterKill)) return 'an act that was answered is not there';
    if (afterKill.recordLost || facts.recordLost) return 'the record is lost';
    if (facts.token.problem) return `the token has a problem: ${facts.token.problem.message}`;
    if (!this.step.done(facts)) return 'one retry did not bring the act about';
    const records = facts.objects - this.step.objects;
    const most = this.step.objects === 0 ? 0 : 2;
    const least = most === 0 ? 0 : 1;
    return records < least || records > most ? `${facts.objects} objects are on the token` : undefined;
  }

  async end(): Promise<void> {
    await this.#world.end();
  }

  /** Runs the step on a fresh copy under strace; whether it was answered. The agent has ended when this returns. */
  async #run(options: string[]): Promise<boolean> {
    const world = this.#world;
    rmSync(world.unitDir, { recursive: true });
    mkdirSync(world.unitDir, { mode: 0o700 });
    cpSync(this.#kept, world.unitDir, { recursive: true });
    await world.start();
    const send = await this.step.prepare(this.#ceremony, await world.admin());
    const agent = world.child as ChildProcess;
    const strace = await attach(agent.pid as number, options);
    const answered = await send().then(
      () => true,
      () => false, // the kill came first
    );
    if (answered) strace.kill('SIGINT');
    else if (agent.exitCode === null && agent.signalCode === null) await once(agent, 'exit');
    if (strace.exitCode === null && strace.signalCode === null) await once(strace, 'exit');
    await world.stop('SIGKILL');
    return answered;
  }
}

async function attach(pid: number, options: string[]): Promise<ChildProcess> {
  const strace = spawn('strace', ['-p', String(pid), ...options], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  strace.stderr.on('data', (piece) => {
    said += piece;
  });
  await eventually(() => said.includes('attached') || strace.exitCode !== null, `strace: ${said}`);
  if (!said.includes('attached')) throw new Error(`strace does not attach: ${said}`);
  return strace;
}

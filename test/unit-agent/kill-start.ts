import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { UnitFacts } from '../../src/unit-agent/protocol.js';
import { AgentWorld } from './agent-world.js';
import { SYSCALLS, type Syscall } from './kill-points.js';

/** How many calls of each kind the first start of an agent makes, in which it provisions its token. */
export async function countStart(): Promise<Record<Syscall, number>> {
  const world = new AgentWorld();
  try {
    const trace = join(world.root, 'trace');
    await world.start({ under: ['strace', '-f', '-o', trace, '-e', `trace=${SYSCALLS.join(',')}`] });
    await world.leave();
    const lines = readFileSync(trace, 'utf8').split('\n');
    const main = lines[0]?.split(' ')[0] ?? '';
    const counted = SYSCALLS.map((name) => {
      return [name, lines.filter((line) => line.startsWith(`${main} `) && line.includes(` ${name}(`)).length];
    });
    return Object.fromEntries(counted) as Record<Syscall, number>;
  } finally {
    await world.end();
  }
}

/** Kills a first start at the nth call and starts again: the facts then, and how many tokens there are. */
export async function killStart(syscall: Syscall, nth: number): Promise<{ facts: UnitFacts; tokens: number }> {
  const world = new AgentWorld();
  try {
    const inject = `inject=${syscall}:signal=SIGKILL:when=${nth}`;
    await world.start({ under: ['strace', '-f', '-o', '/dev/null', '-e', `trace=${syscall}`, '-e', inject] });
    await world.leave();
    await world.start();
    const { facts } = await (await world.admin()).probe();
    return { facts, tokens: readdirSync(join(world.unitDir, 'tokens')).length };
  } finally {
    await world.end();
  }
}

/** Undefined when there is one good reserved unit with one token; else what is not. */
export function judgeStart({ facts, tokens }: Awaited<ReturnType<typeof killStart>>): string | undefined {
  if (facts.token.problem) return facts.token.problem.message;
  if (tokens !== 1) return `${tokens} tokens`;
  return facts.record === null && !facts.recordLost && facts.objects === 0 ? undefined : JSON.stringify(facts);
}

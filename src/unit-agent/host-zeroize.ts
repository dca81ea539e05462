import { createInterface } from 'node:readline/promises';
import { setTimeout as after } from 'node:timers/promises';
import { needs } from '../shared/errors.js';
import { type AgentLog, agentLog } from './agent-log.js';
import type { AgentTask } from './arguments.js';
import type { CryptoUnit } from './crypto-unit.js';
import { UnitDir } from './unit-dir.js';
import { HOST_REQUEST, lastZeroize, zeroizeRequested } from './zeroize-journal.js';

const PATIENCE_MS = 60_000;
const LOOK_EVERY_MS = 100;

/**
 * Wipes a unit on its own host. The request is a file that the agent finds when it starts, so a kill in between loses
 * nothing. When no agent runs, this process is the agent for a moment. Returns the exit code.
 */
export async function zeroizeOnHost(
  task: Extract<AgentTask, { kind: 'zeroize' }>,
  openUnit: (dir: UnitDir, sealKey: string, log: AgentLog) => CryptoUnit,
): Promise<number> {
  const dir = new UnitDir(task.unitDir);
  if (!task.yes && !(await confirmed(dir.id))) {
    process.stderr.write('nothing was changed\n');
    return 1;
  }
  const before = lastZeroize(dir)?.id;
  dir.write(HOST_REQUEST, `${JSON.stringify({ v: 1, by: 'host', at: new Date().toISOString() })}\n`);
  const done = () => !zeroizeRequested(dir) && lastZeroize(dir)?.id !== before;
  const deadline = Date.now() + PATIENCE_MS;
  let told: number | undefined;
  while (!done()) {
    needs(
      Date.now() < deadline,
      'UNIT_FAULT',
      `unit ${dir.id} is not zeroized yet; its agent does it when it starts again`,
    );
    const lock = await dir.lock();
    if (lock) {
      actAsAgent(dir, task.sealKey, openUnit);
      await lock.release();
    } else {
      told = tellAgent(dir, told);
    }
    await after(LOOK_EVERY_MS);
  }
  const receipt = lastZeroize(dir)?.receipt;
  process.stdout.write(
    `crypto unit ${dir.id} is zeroized\n${receipt ? `${receipt}\n` : 'no receipt: its key was lost\n'}`,
  );
  return 0;
}

async function confirmed(id: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`This destroys everything in crypto unit ${id}. Type its id to go on: `);
    return answer.trim() === id;
  } finally {
    terminal.close();
  }
}

function actAsAgent(
  dir: UnitDir,
  sealKey: string,
  openUnit: (dir: UnitDir, key: string, log: AgentLog) => CryptoUnit,
): void {
  const unit = openUnit(dir, sealKey, agentLog(process.stderr, { unit: dir.id }));
  unit.keeper.close();
}

/** SIGTERM to the agent, once per agent: then this process or the agent that its supervisor starts next has the lock. */
function tellAgent(dir: UnitDir, told: number | undefined): number | undefined {
  const pid = Number(dir.read('agent.pid')?.toString('utf8'));
  if (!Number.isInteger(pid) || pid <= 1 || pid === told) return told;
  try {
    process.kill(pid, 'SIGTERM');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ESRCH') throw cause; // it ended by itself: fine
  }
  return pid;
}

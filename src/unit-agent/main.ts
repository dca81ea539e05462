import { setImmediate as nextTick } from 'node:timers/promises';
import { tuneAgentHeap } from '../config/heap.js';
import { softHsmConfPath, writeSoftHsmConf } from '../pkcs11/provision-softhsm.js';
import { forbidCoreFiles } from '../shared/core-files.js';
import { EXIT_CODE, KeysteadError, messageOf, needs } from '../shared/errors.js';
import { ignoreUserSignals, openingOption } from '../shared/node-options.js';
import { openLog } from './agent-log.js';
import { type AgentTask, readArguments, USAGE } from './arguments.js';
import { CryptoUnit } from './crypto-unit.js';
import { zeroizeOnHost } from './host-zeroize.js';
import { ownUnit } from './own-unit.js';
import { reseal } from './reseal.js';
import { AgentServer } from './server.js';
import { UnitDir } from './unit-dir.js';
import { Watchdog } from './watchdog.js';

/** Another agent holds the unit: the supervisor may look for an orphan. */
const EXIT_UNIT_HELD = 75;

/** The agent of one crypto unit: sole owner of its token, from the lock to C_Finalize. */
async function serve(task: Extract<AgentTask, { kind: 'serve' }>): Promise<void> {
  const { alone } = task;
  tuneAgentHeap();
  const opening = openingOption(process.env['NODE_OPTIONS'] ?? '');
  needs(
    opening === undefined,
    'CONFIG_INVALID',
    `an agent holds a PIN and is not started with ${opening}: take it away`,
  );
  const dir = alone ? ownUnit(task.unitDir, alone.token) : new UnitDir(task.unitDir);
  process.title = `keystead-agent ${task.unitDir}`;
  const lock = await dir.lock();
  if (!lock) {
    process.stderr.write(
      `another agent holds unit ${dir.id} (${dir.path}); there is one agent per unit: stop that one\n`,
    );
    process.exit(EXIT_UNIT_HELD);
  }
  dir.write('agent.pid', `${process.pid}\n`);
  const watchdog = alone && new Watchdog(alone.hangMs);
  const log = openLog(dir.id, (event) => watchdog?.hear(event));
  if (!forbidCoreFiles()) log.warn({ event: 'core-files-allowed' });
  const unit = openUnit(dir, task.sealKey, log);
  const server = await AgentServer.listen(unit, task.listening);
  const stop = stopper(unit, server);
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('SIGHUP', () => undefined); // it is for the TLS files (listening.ts), and ends no agent that has none
  if (task.lifeLine) {
    process.stdin.on('close', stop).on('end', stop).on('error', stop).resume();
  }
  const { problem } = unit.keeper;
  log.info({ event: 'ready', agent: process.pid, problem: problem?.code ?? null });
}

/** SoftHSM reads its configuration's path from the environment, which Node's process.env writes through to. */
function openUnit(dir: UnitDir, sealKey: string, log: ReturnType<typeof openLog>): CryptoUnit {
  if (dir.config.provider === 'softhsm') {
    writeSoftHsmConf(dir.path); // again at each start: the directory may have moved
    process.env['SOFTHSM2_CONF'] = softHsmConfPath(dir.path);
  }
  const unit = new CryptoUnit(dir, sealKey, log);
  unit.start();
  return unit;
}

/** Finishes what was begun, C_Finalize, exit 0; once. */
function stopper(unit: CryptoUnit, server: AgentServer): () => void {
  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    await server.drain();
    await nextTick();
    unit.keeper.close();
    unit.dir.remove('agent.pid');
    unit.log.info({ event: 'stopped' });
    process.exit(0);
  };
  return () => void stop();
}

process.umask(0o077);
ignoreUserSignals();
try {
  const task = readArguments(process.argv.slice(2));
  if (task.kind === 'serve') await serve(task);
  else if (task.kind === 'help') process.stdout.write(`${USAGE}\n`);
  else if (task.kind === 'reseal') process.stdout.write(`${await reseal(task)}\n`);
  else process.exitCode = await zeroizeOnHost(task, openUnit);
} catch (cause) {
  process.stderr.write(`${messageOf(cause)}\n`);
  process.exit(cause instanceof KeysteadError ? EXIT_CODE[cause.code] : 1);
}

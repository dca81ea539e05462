import { loadConfig, unknownVariables } from './config/config.js';
import { tuneServerHeap } from './config/heap.js';
import { makeLog } from './config/log.js';
import { LogOutput } from './config/log-output.js';
import { Server } from './server.js';
import { forbidCoreFiles } from './shared/core-files.js';
import { EXIT_CODE, KeysteadError, messageOf } from './shared/errors.js';
import { ignoreUserSignals } from './shared/node-options.js';

/** Whatever hangs, the process ends this long after it was told to. */
const STOP_DEADLINE_MS = 9_500;
const STDOUT = 1;

/** `keystead serve`: serves until SIGTERM or SIGINT. The process ends with 0, or with the exit code of what went wrong. */
export async function serve(): Promise<void> {
  process.umask(0o077);
  tuneServerHeap();
  try {
    const config = loadConfig();
    const output = new LogOutput(STDOUT);
    const log = makeLog(config, output);
    for (const name of unknownVariables()) log.warn({ event: 'config-unknown', name });
    process.on('uncaughtException', (cause) => {
      log.fatal({ event: 'crash', message: cause.message, stack: cause.stack });
      process.exit(1);
    });
    ignoreUserSignals();
    if (!forbidCoreFiles()) log.warn({ event: 'core-files-allowed' });

    const started = Server.start(config, log);
    const stop = async (signal: NodeJS.Signals) => {
      log.info({ event: 'stopping', signal });
      setTimeout(() => {
        log.error({ event: 'stop-timeout' });
        process.exit(1);
      }, STOP_DEADLINE_MS).unref();
      await (await started).stop();
      log.info({ event: 'stopped' });
      await output.settled();
      process.exit(0);
    };
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop(signal));

    const { address } = await started;
    log.info({ event: 'listening', address });
  } catch (cause) {
    process.stderr.write(`FAILED\n${messageOf(cause)}\n`);
    process.exit(cause instanceof KeysteadError ? EXIT_CODE[cause.code] : 1);
  }
}

import type { LoggerService } from '@nestjs/common';
import { type Logger, pino } from 'pino';
import { messageOf } from '../shared/errors.js';
import type { Config } from './config.js';
import type { LogOutput } from './log-output.js';

/** Injection token of the server's logger. Log named, allow-listed fields: never a request, a body or an error object. */
export const LOG = Symbol('log');

/** JSON lines. */
export function makeLog(config: Pick<Config, 'logLevel'>, output: LogOutput): Logger {
  return pino({ level: config.logLevel, base: null }, output);
}

/** What Nest itself has to say: its warnings and errors, as lines of ours. Its start-up chatter is dropped. */
export function frameworkLog(log: Logger): LoggerService {
  const say = (level: 'warn' | 'error' | 'fatal') => (message: unknown, context?: unknown) =>
    log[level]({ event: 'framework', message: messageOf(message), ...(typeof context === 'string' && { context }) });
  const drop = () => undefined;
  return { log: drop, debug: drop, verbose: drop, warn: say('warn'), error: say('error'), fatal: say('fatal') };
}

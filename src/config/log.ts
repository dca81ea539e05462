import { type Logger, pino } from 'pino';
import type { Config } from './config.js';

/** Injection token of the server's logger. Log named, allow-listed fields: never a request, a body or an error object. */
export const LOG = Symbol('log');

/** JSON lines on standard output. */
export function makeLog(config: Pick<Config, 'logLevel'>): Logger {
  return pino({ level: config.logLevel, base: { pid: process.pid } });
}

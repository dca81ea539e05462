import { type DestinationStream, type Logger, pino } from 'pino';

/** What the supervisor hears; other events are for people. */
export type AgentLog = Logger;

/**
 * One JSON line per event on standard output, written before the call returns: the supervisor must have read
 * `login-begin` when C_Login begins. Ids and serials only; no key, PIN or payload is ever an argument.
 */
export function openLog(): AgentLog {
  const out = pino.destination({ fd: 1, sync: true });
  out.on('error', () => undefined); // nobody reads any more; the life line tells us so, and there is no one left to tell
  return agentLog(out);
}

export function agentLog(out: DestinationStream): AgentLog {
  return pino({ base: null, timestamp: pino.stdTimeFunctions.epochTime }, out);
}

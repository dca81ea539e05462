import { type DestinationStream, type Logger, pino } from 'pino';

/** What the supervisor hears; other events are for people. */
export type AgentLog = Logger;

/**
 * One JSON line per event on standard output, written before the call returns: the supervisor must have read
 * `login-begin` when C_Login begins. Ids and serials only; no key, PIN or payload is ever an argument.
 */
export function openLog(unit: string, onEvent: (event: unknown) => void): AgentLog {
  const out = pino.destination({ fd: 1, sync: true });
  out.on('error', () => undefined); // nobody reads any more; the life line tells us so, and there is no one left to tell
  return agentLog(out, { unit, onEvent });
}

/** `unit` stands in every line; `onEvent` hears the name of each event before it is written. */
export function agentLog(
  out: DestinationStream,
  { unit, onEvent }: { readonly unit?: string; readonly onEvent?: (event: unknown) => void } = {},
): AgentLog {
  const formatters = {
    log: (line: Record<string, unknown>) => {
      onEvent?.(line['event']);
      return line;
    },
  };
  return pino({ base: null, mixin: () => ({ unit }), timestamp: pino.stdTimeFunctions.epochTime, formatters }, out);
}

/** Options of node that open a process to others, or write what is in its memory to a file. */
const OPENS =
  /^--(inspect|debug|heap-?prof|cpu-prof|heapsnapshot|report-|diagnostic-report|abort-on-uncaught-exception|expose-internals)/;

/** The option with which this process was started that opens it, in NODE_OPTIONS or before the program; undefined for none. */
export function openingOption(nodeOptions: string, execArgv: readonly string[] = process.execArgv): string | undefined {
  return [...execArgv, ...nodeOptions.split(/[\s"']+/)].find((option) => OPENS.test(option.replaceAll('_', '-')));
}

/** Node opens its inspector on SIGUSR1 and ends on SIGUSR2, unless it is told otherwise. */
export function ignoreUserSignals(): void {
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) process.on(signal, () => undefined);
}

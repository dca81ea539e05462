import { readdirSync } from 'node:fs';

/** What /proc says of a process of which no core file is written. */
export const NO_CORE_FILES = /^Max core file size +0 +0 /m;

/** Words before a program that lets it leave core files as large as may be, in a directory. */
export function withCoreFiles(directory: string): string[] {
  return ['sh', '-c', `cd '${directory}' && ulimit -S -c "$(ulimit -H -c)" && exec "$0" "$@"`];
}

/** Core files, as the kernel names them where it writes them beside the program. */
export function coreFilesIn(directory: string): string[] {
  return readdirSync(directory).filter((name) => /^core(\.|$)/.test(name));
}

import { spawnSync } from 'node:child_process';
import { basename, join } from 'node:path';
import { ROOT } from './processes.js';

/** Builds a C file of the tests (`clock/clock.c`) into a directory, as a shared object; its path. */
export function compiled(source: string, directory: string): string {
  const object = join(directory, `${basename(source, '.c')}.so`);
  const words = ['-shared', '-fPIC', '-O1', '-o', object, join(ROOT, 'test', source), '-ldl', '-lpthread'];
  const { error, status, stderr } = spawnSync('cc', words, { encoding: 'utf8' });
  if (error) throw new Error(`${source} needs a C compiler, cc; on Debian: apt-get install gcc libc6-dev`);
  if (status !== 0) throw new Error(`cc does not build ${source}:\n${stderr}`);
  return object;
}

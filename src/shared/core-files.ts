import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

const LIMITS = '/proc/self/limits';

/**
 * From now on no core file is written of this process and of those that it starts: it would hold what is in memory. False
 * when the kernel would go on writing them. Node cannot set a limit of its own, so another program does it.
 */
export function forbidCoreFiles(): boolean {
  if (!coreFilesAllowed()) return true;
  spawnSync('prlimit', ['--pid', String(process.pid), '--core=0'], { stdio: 'ignore' });
  return !coreFilesAllowed();
}

/** Linux says it. Elsewhere it is left to the limits that the process was started with. */
function coreFilesAllowed(): boolean {
  return existsSync(LIMITS) && !/^Max core file size +0 /m.test(readFileSync(LIMITS, 'latin1'));
}

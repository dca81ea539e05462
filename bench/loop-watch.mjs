/** Loaded into the server before its own code: on SIGUSR2 it writes how late its event loop was, and begins anew. */
import { renameSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 1;
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delay.enable();
process.on('SIGUSR2', () => {
  const file = process.env.BENCH_LOOP_FILE;
  const ms = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS);
  writeFileSync(`${file}.part`, JSON.stringify({ p99: ms(delay.percentile(99)), max: ms(delay.max) }));
  renameSync(`${file}.part`, file);
  delay.reset();
});

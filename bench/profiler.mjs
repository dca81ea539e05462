/** Loaded into the server: SIGWINCH begins a CPU profile, and the next one writes it. */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { join } from 'node:path';

const session = new Session();
let profiling = false;
process.on('SIGWINCH', async () => {
  if (profiling) {
    const { profile } = await session.post('Profiler.stop');
    session.disconnect();
    writeFileSync(join(process.env.BENCH_PROFILE_DIR, `${process.pid}.cpuprofile`), JSON.stringify(profile));
  } else {
    session.connect();
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
  }
  profiling = !profiling;
});

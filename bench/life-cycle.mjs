/** How long it takes until something can be used, and how much memory it takes then. */
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { setTimeout as after } from 'node:timers/promises';
import { PAIR_ALGORITHMS } from '../dist/import-tokens/pair-row.js';
import { summary } from './numbers.mjs';
import { POOL } from './world.mjs';

/** Seconds from start to /readyz 200 with so many keys in the database; the server must be stopped, and is running then. */
export async function startWith(world, keys) {
  await fill(world, keys);
  return world.launch();
}

/** Rows of root keys; their MACs are not genuine, which a start does not look at and the hourly walk would report. */
async function fill(world, keys) {
  const [{ n }] = await world.query('SELECT count(*)::int AS "n" FROM "keys" WHERE "instanceId" = $1', [
    world.instance,
  ]);
  const more = keys - n;
  if (more <= 0) return;
  const [columns] = await world.query(
    `SELECT string_agg(quote_ident(column_name), ', ') AS "all",
            string_agg(CASE column_name WHEN 'id' THEN 'i.id' WHEN 'versionId' THEN 'i.id' WHEN 'name' THEN '''bench '' || i.n'
                       ELSE 'k.' || quote_ident(column_name) END, ', ') AS "values"
     FROM information_schema.columns WHERE table_name = 'keys' AND table_schema = current_schema()`,
  );
  await world.query(
    `INSERT INTO "keys" (${columns.all})
     SELECT ${columns.values} FROM (SELECT gen_random_uuid() AS id, n FROM generate_series(1, $2::int) n) i,
       (SELECT * FROM "keys" WHERE "instanceId" = $1 LIMIT 1) k`,
    [world.instance, more],
  );
  await world.query('VACUUM ANALYZE');
  await world.query('CHECKPOINT'); // else what the filling left to write is what commits wait for
}

/** Latencies of POST /import_token with a pool of pairs that has had the time to fill, one after another. */
export async function importTokens(world, times) {
  await untilPoolIsFull(world);
  const latencies = [];
  for (let n = 0; n < times; n += 1) {
    const before = performance.now();
    await world.ask('POST', '/api/v2/import_token', { expiration: 600, maxAllowedRetrievals: 1 });
    latencies.push(performance.now() - before);
    await untilPoolIsFull(world);
  }
  return summary(latencies);
}

/** Waits until the pairs of every kind are made: making them takes a unit's processor for seconds. */
export async function untilPoolIsFull(world) {
  const ready = 'SELECT count(*)::int AS "n" FROM "import_pairs" WHERE "takenAt" IS NULL GROUP BY "algorithm"';
  for (const deadline = performance.now() + 180_000; performance.now() < deadline; await after(50)) {
    const kinds = await world.query(ready);
    if (kinds.length === PAIR_ALGORITHMS.length && kinds.every(({ n }) => n >= POOL)) return;
  }
  throw new Error('the pool of import pairs did not fill in 180 s');
}

/** Resident memory in MiB: of the server, and the greatest of its agents. */
export function memory(world) {
  const mib = (pid) => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
  return { server: mib(world.serverPid), agent: Math.max(...world.agentPids().map(mib)) };
}

/** How fast memory grows under a load of wraps, in MiB per minute, after a minute that does not count. */
export async function memorySlope(world, minutes) {
  const { sustainWraps } = await import('./api.mjs');
  const samples = [];
  const sampling = setInterval(() => samples.push({ at: performance.now() / 60_000, ...memory(world) }), 2_000);
  await sustainWraps(world, minutes * 60);
  clearInterval(sampling);
  const counted = samples.filter(({ at }) => at > samples[0].at + Math.min(1, minutes / 3));
  return { server: slope(counted, 'server'), agent: slope(counted, 'agent') };
}

/** Least squares. */
function slope(samples, what) {
  const mean = (of) => samples.reduce((sum, one) => sum + one[of], 0) / samples.length;
  const [x, y] = [mean('at'), mean(what)];
  const top = samples.reduce((sum, one) => sum + (one.at - x) * (one[what] - y), 0);
  return top / samples.reduce((sum, one) => sum + (one.at - x) ** 2, 0);
}

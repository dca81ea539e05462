/** What faults cost the clients, under a steady load of wraps: a PostgreSQL that is killed, a unit that hangs. */
import { performance } from 'node:perf_hooks';
import { setTimeout as after } from 'node:timers/promises';
import { summary } from './numbers.mjs';

const IN_FLIGHT = 16;
const BEFORE_MS = 1_000;
const AFTER_MS = 8_000;
const HANG_MS = 4_000;

/**
 * PostgreSQL killed with SIGKILL: milliseconds until wraps are answered again, how many were refused meanwhile, with which
 * statuses. Throws when a wrap that was answered with 200 has no line in the audit log.
 */
export async function databaseKilled(world, root) {
  const before = await lines(world, root);
  const seen = await during(world, root, () => process.kill(world.postgresPids()[0], 'SIGKILL'));
  const served = seen.filter(({ status }) => status === 200);
  const audited = (await lines(world, root)) - before;
  if (audited < served.length) throw new Error(`${served.length} wraps were answered, ${audited} are in the audit log`);
  const failed = seen.filter(({ status }) => status !== 200);
  const statuses = [...new Set(failed.map(({ status }) => status))].sort();
  if (failed.length === 0) throw new Error('nobody noticed that PostgreSQL was killed');
  const lastRefusal = Math.max(...failed.map(({ at }) => at));
  return { recoveryMs: lastRefusal, refused: failed.length, statuses, served: served.length };
}

/** One of three agents stopped with SIGSTOP for a while: latencies before, and of the requests that came while it hung. */
export async function sickUnit(world, root) {
  const [pid] = world.agentPids();
  const seen = await during(world, root, async () => {
    process.kill(pid, 'SIGSTOP');
    await after(HANG_MS);
    try {
      process.kill(pid, 'SIGCONT');
    } catch {
      // it was killed for hanging and started again: that is the cure
    }
  });
  const failed = seen.filter(({ status }) => status !== 200).length;
  const calm = seen.filter(({ at }) => at < 0).map(({ took }) => took);
  const sick = seen.filter(({ at, took }) => at >= 0 && at - took < HANG_MS).map(({ took }) => took);
  return { failed, well: summary(calm), sick: summary(sick) };
}

/** Every wrap: { at: milliseconds from the fault to its answer, took, status }. */
async function during(world, root, fault) {
  const url = `${world.url}/api/v2/keys/${root}/actions/wrap`;
  const body = JSON.stringify({ plaintext: Buffer.alloc(32, 0x5a).toString('base64') });
  const seen = [];
  const faultAt = performance.now() + BEFORE_MS;
  const end = faultAt + AFTER_MS;
  const drive = async () => {
    while (performance.now() < end) {
      const began = performance.now();
      const answer = await fetch(url, { method: 'POST', headers: world.headers, body });
      await answer.arrayBuffer();
      const now = performance.now();
      seen.push({ at: now - faultAt, took: now - began, status: answer.status });
      if (answer.status !== 200) await after(20);
    }
  };
  const driving = Array.from({ length: IN_FLIGHT }, drive);
  await after(BEFORE_MS);
  await fault();
  await Promise.all(driving);
  return seen;
}

async function lines(world, key) {
  const query = `SELECT count(*)::int AS "n" FROM "audit_lines" WHERE "target" = $1 AND "act" = 'kms.secrets.wrap' AND "outcome" = 'success'`;
  return (await world.query(query, [key]))[0].n;
}

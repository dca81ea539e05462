import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { type Fault, heal, inject } from '../fault-module/fault-module.js';
import { unitOf } from '../units.js';
import { until } from '../until.js';
import type { LoadWorld } from './load-world.js';
import type { Dose, Seen } from './scenario.js';

/** IBM's words; clients look for them. */
const NO_UPSTREAM = 'no healthy upstream';
const NEXT = 'next: kp crypto-units';
const SEEN_WITHIN_MS = 10_000;
const OUTAGE_MS = 1_000;
const FEW_FAIL_MS = 2_000;

/** One agent after the other is killed, every so many seconds. */
export async function killAgents(load: LoadWorld, { rate, seconds, times }: Dose): Promise<Seen> {
  const clients = load.wrapping(rate);
  const recoveries: number[] = [];
  for (let n = 0; n < times; n += 1) {
    const pause = after((seconds / times) * 1_000);
    const unit = load.units[n % load.units.length] ?? '';
    const pid = load.world.agentPid(unit);
    process.kill(pid, 'SIGKILL');
    const killed = Date.now();
    await until(async () => load.world.agentPid(unit) !== pid, 10_000);
    await load.served([unit]);
    recoveries.push(Date.now() - killed);
    await pause;
  }
  return { tally: await clients.stop(), faults: times, recoveries };
}

/** The module of one unit does wrong, the agent is replaced, and the module is well again. */
export function withModule(fault: Fault): (load: LoadWorld, dose: Dose) => Promise<Seen> {
  return async (load, { rate, seconds, times }) => {
    const [unit = ''] = load.units;
    const clients = load.wrapping(rate);
    const [replacements, recoveries]: [number[], number[]] = [[], []];
    for (let n = 0; n < times; n += 1) {
      const pid = load.world.agentPid(unit);
      await after((seconds / times) * 500);
      const begun = Date.now();
      inject(load.world, unit, fault);
      await until(async () => load.world.agentPid(unit) !== pid, 20_000);
      replacements.push(Date.now() - begun);
      heal(load.world, unit);
      recoveries.push(await load.served([unit]));
      await after((seconds / times) * 500);
    }
    const lag = await load.metric('keystead_nodejs_eventloop_lag_p99_seconds');
    const replaced = Math.max(...replacements);
    return {
      tally: await clients.stop(),
      faults: times,
      recoveries,
      missed:
        replaced > 5_000 + 1_000
          ? [`agent killed and another started after ${replaced} ms, target 5 s to the kill`]
          : [],
      notes: [
        `agent killed and another one started after ${replaced} ms`,
        `event loop delay of the server p99 ${Math.round((lag ?? 0) * 1_000)} ms`,
      ],
    };
  };
}

/** Two of three token directories are moved away, then the third, then all come back. */
export async function moveTokens(load: LoadWorld, { rate, seconds }: Dose): Promise<Seen> {
  const { world, units } = load;
  const away = join(world.dir, 'away');
  mkdirSync(away, { recursive: true });
  const tokens = (unit: string) => join(world.unitDir(unit), 'tokens');
  const third = units.at(-1) as string;
  const wrong: string[] = [];
  const missed: string[] = [];

  const clients = load.wrapping(rate);
  await after(500);
  const gone = Date.now();
  for (const unit of units.slice(0, -1)) renameSync(tokens(unit), join(away, unit));
  await after(seconds * 1_000);
  const tally = await clients.stop();
  const late = tally.failures.filter(({ at }) => at > gone + FEW_FAIL_MS).length;
  if (late > 0) wrong.push(`${late} failed when two tokens had been gone for ${FEW_FAIL_MS} ms`);
  const early = tally.failures.length - late;
  if (early > (rate * FEW_FAIL_MS) / 1_000_000) wrong.push(`${early} failed in the first ${FEW_FAIL_MS} ms`);

  renameSync(tokens(third), join(away, third));
  const { refusedAfter, text } = await refused(load);
  const unnamed = units.filter((unit) => !text.includes(`crypto unit ${unit}: kms-initialized (`));
  if (unnamed.length > 0 || !text.includes(NEXT))
    wrong.push(`the 503 does not name every unit and the next command: ${text}`);
  if (refusedAfter > OUTAGE_MS) missed.push(`503 after ${refusedAfter} ms, target ${OUTAGE_MS} ms`);
  for (const unit of units) renameSync(join(away, unit), tokens(unit));
  const recovery = await load.served();
  return {
    tally,
    faults: units.length,
    recoveries: [recovery],
    wrong,
    missed,
    notes: [`503 ${refusedAfter} ms after the last token went`],
  };
}

/** How long it takes until clients hear that no unit serves, and what they hear. */
async function refused(load: LoadWorld): Promise<{ refusedAfter: number; text: string }> {
  const begun = Date.now();
  let text = '';
  const hears = async () => {
    ({ text } = await load.act(load.key, 'wrap', {}));
    return text.includes(NO_UPSTREAM);
  };
  await until(hears, SEEN_WITHIN_MS);
  return { refusedAfter: Date.now() - begun, text };
}

/**
 * A unit answers as one with another master key would, which is simulated: each HMAC has another bit. It must not serve
 * one request. The keys on a token are really changed in test/faults.spec.ts.
 */
export async function otherMasterKey(load: LoadWorld, { rate, seconds }: Dose): Promise<Seen> {
  const { world } = load;
  const [unit = ''] = load.units;
  const served = async () => {
    const [row] = await load.query(
      `SELECT count(*)::int AS "count" FROM "audit_lines" WHERE "unitId" = $1 AND "act" = 'kms.secrets.wrap'`,
      [unit],
    );
    return row?.['count'] as number;
  };
  const clients = load.wrapping(rate);
  inject(world, unit, { fn: 'C_Sign', act: 'flip' });
  const begun = Date.now();
  await load.answers(`/health/units/${unit}`, 503);
  const seenAfter = Date.now() - begun;
  const reasons = (await unitOf(world, unit)).conditions
    .filter(({ status }) => status === 'False')
    .map(({ reason }) => reason);
  const before = await served();
  await after(seconds * 1_000);
  const wrong = (await served()) > before ? ['the unit with another master key served'] : [];
  if ((await world.api('GET', '/readyz')).status !== 200) wrong.push('/readyz says no though two units serve');
  heal(world, unit);
  const recoveries = [await load.served([unit])];
  return {
    tally: await clients.stop(),
    faults: 1,
    recoveries,
    wrong,
    missed: seenAfter > SEEN_WITHIN_MS ? [`seen after ${seenAfter} ms, target ${SEEN_WITHIN_MS} ms`] : [],
    notes: [
      `set aside after ${seenAfter} ms: ${reasons.join(', ')}`,
      'simulated by a bit of each HMAC; with other keys on the token: test/faults.spec.ts',
    ],
  };
}

import { setTimeout as after } from 'node:timers/promises';
import { type Fault, heal, inject } from '../fault-module/fault-module.js';
import { type Footprint, footprint, growth } from './footprint.js';
import { requestOf } from './generator.js';
import { is2xx, type LoadWorld } from './load-world.js';
import { type Dose, type Seen, together } from './scenario.js';

/** What they hold is measured from here on: before, caches fill. */
const WARM_SHARE = 0.3;
/** How long is looked at what they hold. */
const lookS = (seconds: number) => Math.min(30, seconds / 20);

/** Wraps and unwraps, as many of each. For each that succeeded there is one audit record, and no session is left open. */
export async function steady(load: LoadWorld, { rate, seconds }: Dose): Promise<Seen> {
  const before = await audited(load);
  const clients = [load.wrapping(rate), load.unwrapping(rate)];
  await after(seconds * WARM_SHARE * 1_000);
  const warm = await footprint(load, lookS(seconds));
  await after((seconds * (1 - WARM_SHARE) - 2 * lookS(seconds)) * 1_000);
  const last = await footprint(load, lookS(seconds));
  const tally = together(...(await Promise.all(clients.map((one) => one.stop()))));
  const lines = (await audited(load)) - before;
  const good = tally.latencies.length;
  const isExact = lines >= good && lines <= good + tally.failures.length; // one that no client waited for may be there
  const { missed, notes } = growth(warm, last);
  return {
    tally,
    lost: Math.max(0, good - lines),
    wrong: [
      ...(isExact ? [] : [`${good} answers and ${lines} audit records`]),
      ...(last.sessions > warm.sessions ? ['sessions of the tokens are left open'] : []),
    ],
    missed,
    notes: [`${good} answers, ${lines} audit records; p99.9 ${Math.round(tally.percentile(0.999))} ms`, ...notes],
  };
}

/** Half of the ciphertexts were changed: they are refused, all in the same way, and no unit is blamed for it. */
export async function badCiphertexts(load: LoadWorld, { rate, seconds }: Dose): Promise<Seen> {
  const restarts = load.events('token-lost');
  const clients = [load.unwrapping(rate / 2), load.unwrappingChanged(rate / 2)];
  const seen = new Set<number>();
  for (const end = Date.now() + seconds * 1_000; Date.now() < end; await after(200)) {
    for (const unit of load.units) seen.add((await fetch(`${load.world.url}/health/units/${unit}`)).status);
  }
  const tally = together(...(await Promise.all(clients.map((one) => one.stop()))));
  const wrong = seen.size > 1 ? [`units were blamed: /health/units said ${[...seen].join(', ')}`] : [];
  if (load.events('token-lost') > restarts) wrong.push('a token was opened anew');
  return { tally, wrong };
}

/** Many import tokens at once, each with an RSA-4096 pair to be made, while others wrap. */
export async function importTokens(load: LoadWorld, { rate, times }: Dose): Promise<Seen> {
  const clients = load.wrapping(rate);
  await after(500);
  const body = { expiration: 600, maxAllowedRetrievals: 1 };
  const begun = Date.now();
  const asked = Array.from({ length: times }, async () => {
    const request = { method: 'POST', headers: load.headers, body: JSON.stringify(body) };
    const signal = AbortSignal.timeout(TOKEN_PATIENCE_MS);
    return fetch(`${load.world.url}/api/v2/import_token`, { ...request, signal }).catch(() => undefined);
  });
  const answers = await Promise.all(asked);
  const took = Date.now() - begun;
  const [made, later, waiting] = [answers.filter(isMade), answers.filter(isLater), answers.filter(isNone)];
  const others = answers.filter((one) => !isMade(one) && !isLater(one) && !isNone(one));
  return {
    tally: await clients.stop(),
    wrong: others.length === 0 ? [] : [`import tokens: ${[...new Set(others.map((one) => one?.status))].join(', ')}`],
    missed:
      waiting.length === 0
        ? []
        : [`${waiting.length} of ${times} had no answer in ${TOKEN_PATIENCE_MS} ms, target 429`],
    notes: [`${made.length} of ${times} import tokens made in ${took} ms, ${later.length} told to come again`],
  };
}

const TOKEN_PATIENCE_MS = 20_000;
const isMade = (answer: Response | undefined) => answer?.status === 200;
const isLater = (answer: Response | undefined) => answer?.status === 429 && answer.headers.get('retry-after') !== null;
const isNone = (answer: Response | undefined) => answer === undefined;

const SOAK_FAULTS: readonly Fault[] = [
  { fn: 'C_Encrypt', act: 'rv', number: 0x30, times: 3 },
  { fn: '*', act: 'kill', times: 1 },
  { fn: 'C_Decrypt', act: 'hang', times: 1 },
  { fn: 'C_UnwrapKey', act: 'rv', number: 0x5, times: 10 },
  { fn: 'C_GetTokenInfo', act: 'rv', number: 0xe0, times: 2 },
];
const FAULT_EVERY_MS = 30_000;
const FAULT_LASTS_MS = 5_000;

/** Everything at once, for long: use and making of keys, and a fault of some unit every half minute. Nothing may pile up. */
export async function soak(load: LoadWorld, { rate, seconds }: Dose): Promise<Seen> {
  const create = requestOf('POST', '/api/v2/keys', load.headers, {
    metadata: { collectionType: 'application/vnd.ibm.kms.key+json', collectionTotal: 1 },
    resources: [{ type: 'application/vnd.ibm.kms.key+json', name: 'made in the soak', extractable: false }],
  });
  const making = load.clients(() => ({ bytes: create, verdict: is2xx }), Math.max(1, rate / 50));
  const clients = [load.wrapping(rate), load.unwrapping(rate), making];
  const recoveries: number[] = [];
  let warm: Footprint | undefined;
  const begun = Date.now();
  for (const end = begun + seconds * 1_000; Date.now() < end; ) {
    if (Date.now() > begun + seconds * WARM_SHARE * 1_000) warm ??= await footprint(load, lookS(seconds));
    const unit = load.units[recoveries.length % load.units.length] ?? '';
    inject(load.world, unit, SOAK_FAULTS[recoveries.length % SOAK_FAULTS.length] as Fault);
    await after(FAULT_LASTS_MS);
    heal(load.world, unit);
    recoveries.push(await load.served([unit]));
    await after(FAULT_EVERY_MS - FAULT_LASTS_MS);
  }
  const last = await footprint(load, lookS(seconds));
  const tallies = await Promise.all(clients.map((one) => one.stop()));
  return { tally: together(...tallies), faults: recoveries.length, recoveries, ...growth(warm ?? last, last) };
}

async function audited(load: LoadWorld): Promise<number> {
  return (await load.audited('kms.secrets.wrap')) + (await load.audited('kms.secrets.unwrap'));
}

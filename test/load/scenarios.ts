import { killPostgres, killPostgresWriting, killServer } from './crashes.js';
import type { Scenario } from './scenario.js';
import { killAgents, moveTokens, otherMasterKey, withModule } from './sick-units.js';
import { slowClients } from './slow-http.js';
import { badCiphertexts, importTokens, soak, steady } from './steady.js';

const MINUTE = 60;
/** How long the soak lasts; an hour, or a day, before a release. */
const SOAK_S = Number(process.env['KEYSTEAD_SOAK_SECONDS'] ?? 5 * MINUTE);

/** All of them, in the order in which they run on one server; the item is the number in the acceptance list. */
export const SCENARIOS: readonly Scenario[] = [
  {
    item: 'A-03',
    name: 'wrap and unwrap, steady; A-32: one audit record each',
    short: { rate: 100, seconds: 3, times: 0 },
    long: { rate: 500, seconds: 10 * MINUTE, times: 0 },
    targets: { failed: 0, p99Ms: 50 },
    run: steady,
  },
  {
    item: 'A-04',
    name: 'half of the ciphertexts changed',
    short: { rate: 100, seconds: 2, times: 0 },
    long: { rate: 500, seconds: MINUTE, times: 0 },
    targets: { failed: 0, p99Ms: 50 },
    run: badCiphertexts,
  },
  {
    item: 'A-01',
    name: 'an agent killed every 5 s',
    short: { rate: 100, seconds: 4, times: 2 },
    long: { rate: 500, seconds: MINUTE, times: 12 },
    targets: { failed: 0, p50Ms: 10, p99Ms: 250, recoveryMs: 3_000 },
    run: killAgents,
  },
  {
    item: 'A-02',
    name: 'two of three tokens gone, then all',
    short: { rate: 100, seconds: 3, times: 1 },
    long: { rate: 500, seconds: MINUTE, times: 1 },
    targets: { failed: 1, recoveryMs: 3_000 },
    run: moveTokens,
  },
  {
    item: 'A-05',
    name: 'a unit with another master key',
    short: { rate: 100, seconds: 2, times: 1 },
    long: { rate: 500, seconds: 20, times: 1 },
    targets: { failed: 0, recoveryMs: 3_000 },
    run: otherMasterKey,
  },
  {
    item: 'A-08',
    name: 'a module hangs',
    short: { rate: 100, seconds: 1, times: 1 },
    long: { rate: 500, seconds: MINUTE, times: 5 },
    targets: { failed: 0, p99Ms: 2_000, recoveryMs: 3_000 },
    run: withModule({ fn: 'C_Encrypt', act: 'hang' }),
  },
  {
    item: 'A-08',
    name: 'a module crashes',
    short: { rate: 100, seconds: 1, times: 1 },
    long: { rate: 500, seconds: MINUTE, times: 10 },
    targets: { failed: 0, p99Ms: 250, recoveryMs: 3_000 },
    run: withModule({ fn: 'C_Encrypt', act: 'kill' }),
  },
  {
    item: 'A-40',
    name: 'import tokens, many at once',
    short: { rate: 100, seconds: 0, times: 2 },
    long: { rate: 500, seconds: MINUTE, times: 200 },
    targets: { failed: 0, p99Ms: 100 },
    run: importTokens,
  },
  {
    item: 'A-18',
    name: 'slow and idle connections',
    short: { rate: 100, seconds: 2, times: 60 },
    long: { rate: 500, seconds: MINUTE, times: 500 },
    targets: { failed: 0, p99Ms: 250 },
    run: slowClients,
  },
  {
    item: 'issue',
    name: 'PostgreSQL killed',
    short: { rate: 100, seconds: 2, times: 1 },
    long: { rate: 500, seconds: MINUTE, times: 6 },
    targets: { failed: 0, recoveryMs: 3_000 },
    run: killPostgres,
  },
  {
    item: 'A-11',
    name: 'the server killed while it writes',
    short: { rate: 0, seconds: 0, times: 2 },
    long: { rate: 0, seconds: 20 * MINUTE, times: 200 },
    targets: { failed: 0, recoveryMs: 5_000 },
    endsServer: true,
    run: killServer,
  },
  {
    item: 'A-11',
    name: 'PostgreSQL killed while the server writes',
    short: { rate: 0, seconds: 0, times: 2 },
    long: { rate: 0, seconds: 10 * MINUTE, times: 200 },
    targets: { failed: 0, recoveryMs: 5_000 },
    run: killPostgresWriting,
  },
];

/** Only in the long form. */
export const SOAK: Scenario = {
  item: 'A-51',
  name: 'soak: mixed load, a fault every 30 s',
  short: { rate: 50, seconds: 30, times: 0 },
  long: { rate: 200, seconds: SOAK_S, times: 0 },
  targets: { failed: 0, recoveryMs: 3_000 },
  run: soak,
};

/** The figures as one table, with the targets beside what has one. */
import { IN_FLIGHT } from './agent.mjs';
import { shown, table } from './numbers.mjs';

const LOOP = 'row MAC + random IV + GCM'; // what the agent does for one encryption

export function report(results) {
  const rows = [];
  const add = (what, value, unit, note = '') =>
    rows.push([what, typeof value === 'number' ? shown(value) : value, unit, note]);
  for (const name of Object.keys(results.token.c)) {
    const { c, node } = results.token;
    add(`token: ${name}`, node[name], '/s', `C program ${shown(c[name])}/s`);
  }
  const loop = results.token.node[LOOP];
  for (const [units, byInFlight] of Object.entries(results.agents)) {
    for (const inFlight of IN_FLIGHT) {
      const note =
        units === '1' && inFlight === 64 ? target(byInFlight[inFlight] / loop, 0.8, 'of the pkcs11js loop') : '';
      add(`agents: ${units}, ${inFlight} in flight at each`, byInFlight[inFlight], '/s', note);
    }
  }
  add(
    'agents: two units to one, at 64',
    results.agents[2][64] / results.agents[1][64],
    '×',
    target(results.agents[2][64] / results.agents[1][64], 1.6),
  );
  addApi(results.api, add);
  addFaults(results, add);
  addLists(results.lists, add);
  for (const [keys, seconds] of Object.entries(results.startS)) {
    add(`start to ready, ${Number(keys).toLocaleString('en')} keys`, seconds, 's', target(seconds, -3));
  }
  add('three units initialised by kp', results.initialiseS, 's');
  add('import token, pool warm, p99', results.importToken.p99, 'ms', target(results.importToken.p99, -100));
  add(
    'memory of the server, at rest and after the load',
    `${shown(results.memoryAtRest.server)}, ${shown(results.memoryUnderLoad.server)}`,
    'MiB',
  );
  add(
    'memory of an agent, at rest and after the load',
    `${shown(results.memoryAtRest.agent)}, ${shown(results.memoryUnderLoad.agent)}`,
    'MiB',
    target(results.memoryUnderLoad.agent, -80),
  );
  if (results.memorySlope) {
    add('memory of the server under load, slope', results.memorySlope.server, 'MiB/min');
    add('memory of an agent under load, slope', results.memorySlope.agent, 'MiB/min');
  }
  return table(['', 'figure', '', 'target'], rows);
}

function addApi(api, add) {
  const floor = api.floor.perSecond;
  add('HTTP floor', floor, '/s', `p50 ${shown(api.floor.p50)}, p99 ${shown(api.floor.p99)} ms`);
  for (const [name, one] of Object.entries(api)) {
    if (name === 'floor') continue;
    const ratio = ['wrap', 'unwrap'].includes(name) ? target(one.perSecond / floor, 0.5, 'of the floor') : '';
    const loop = one.loopMax === undefined ? '' : `; event loop late by ${shown(one.loopMax)} ms at most`;
    const latency = `p50 ${shown(one.p50)}, p99 ${shown(one.p99)}, p99.9 ${shown(one.p999)} ms${loop}`;
    const half = name === 'wrap at half of peak' ? target(one.p99, -25, 'p99') : ratio;
    add(`API: ${name}`, one.perSecond, '/s', [half, latency].filter(Boolean).join('; '));
  }
}

function addFaults({ databaseKilled: killed, sickUnit: { well, sick, failed } }, add) {
  const meanwhile = `${killed.refused} refused with ${killed.statuses.join(', ')}, none of ${killed.served} lost`;
  add(
    'PostgreSQL killed: serving again after',
    killed.recoveryMs,
    'ms',
    `${target(killed.recoveryMs, -3_000)}; ${meanwhile}`,
  );
  const cost = target(sick.max / well.p99, -2, 'of the p99 before');
  add(
    'a unit hangs: longest request meanwhile',
    sick.max,
    'ms',
    `${cost}; p99 ${shown(sick.p99)} ms, ${failed} failed`,
  );
}

/** Medians, beside those of the smallest number of keys. */
function addLists(lists, add) {
  const [[, first]] = Object.entries(lists);
  for (const [keys, medians] of Object.entries(lists)) {
    for (const [name, ms] of Object.entries(medians)) {
      const note = medians === first ? '' : target(ms / first[name], -1.2, 'of the smallest');
      add(`${name}, ${Number(keys).toLocaleString('en')} keys`, ms, 'ms', note);
    }
  }
}

/** A bar: at least `bar`, or at most `-bar`. */
function target(value, bar, what = '') {
  const reached = bar > 0 ? value >= bar : value <= -bar;
  const sign = bar > 0 ? '≥' : '≤';
  return `${reached ? 'yes' : 'NO'}: ${shown(value)} ${what} (${sign} ${Math.abs(bar)})`.replace(/ +/g, ' ');
}

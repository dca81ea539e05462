/**
 * `npm run bench`: every layer measured in one run, side by side, in one table; figures in bench/results/. It fails when an
 * answer was wrong or an audit line is missing, so that a fast wrong answer cannot win.
 *   node bench/run.mjs [--seconds N] [--keys N,N,…] [--minutes N]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT, setUp } from '../scripts/setup.mjs';
import { runScript } from '../scripts/terminal.mjs';

await runScript(async () => {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '5' },
      keys: { type: 'string', default: '500,100000' },
      minutes: { type: 'string', default: '0' },
    },
  });
  setUp();
  const seconds = Number(values.seconds);
  const { measureToken } = await import('./token.mjs');
  const { BenchWorld } = await import('./world.mjs');
  const { measureAgents } = await import('./agent.mjs');
  const { makeKey, measureApi } = await import('./api.mjs');
  const { databaseKilled, sickUnit } = await import('./faults.mjs');
  const { measureLists } = await import('./lists.mjs');
  const { importTokens, memory, memorySlope, startWith, untilPoolIsFull } = await import('./life-cycle.mjs');
  const { report } = await import('./report.mjs');

  const results = {
    at: new Date().toISOString(),
    machine: `${cpus().length} × ${cpus()[0].model}`,
    node: process.version,
  };
  const say = (what) => process.stderr.write(`${what} …\n`);
  say('the token by itself');
  results.token = measureToken(Math.min(seconds, 3));
  say('a server with three units');
  const { world, initialiseS } = await BenchWorld.start();
  try {
    results.initialiseS = initialiseS;
    results.memoryAtRest = memory(world);
    say('import tokens');
    results.importToken = await importTokens(world, 20);
    await untilPoolIsFull(world); // else the units make RSA pairs all the while
    say('the agents by themselves');
    results.agents = await measureAgents(world, Math.min(seconds, 3));
    say('the API');
    results.api = await measureApi(world, seconds);
    results.memoryUnderLoad = memory(world);
    if (Number(values.minutes) > 0) {
      say(`memory for ${values.minutes} minutes`);
      results.memorySlope = await memorySlope(world, Number(values.minutes));
    }
    say('faults');
    const root = await makeKey(world, 'faults');
    results.sickUnit = await sickUnit(world, root);
    results.databaseKilled = await databaseKilled(world, root);
    results.startS = {};
    results.lists = {};
    for (const keys of values.keys.split(',').map(Number)) {
      say(`start with ${keys.toLocaleString('en')} keys`);
      await world.stop();
      results.startS[keys] = await startWith(world, keys);
      results.lists[keys] = await measureLists(world);
    }
  } finally {
    await world.end();
  }

  const place = join(ROOT, 'bench', 'results');
  mkdirSync(place, { recursive: true });
  writeFileSync(
    join(place, `${results.at.slice(0, 19).replaceAll(':', '')}.json`),
    `${JSON.stringify(results, null, 2)}\n`,
  );
  process.stdout.write(`${report(results)}\n`);
  return 0;
});

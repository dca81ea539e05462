import { rollingRestart } from './balanced.js';
import { LoadWorld } from './load-world.js';
import { type Row, report } from './report.js';
import { bounded, play } from './scenario.js';
import { SCENARIOS, SOAK } from './scenarios.js';

/** Load at the rates of the acceptance list, with faults. Prints a table; what depends on the machine is only reported there. */
const rows: Row[] = [];
let load: LoadWorld;
beforeAll(async () => {
  load = await LoadWorld.start();
}, 300_000);
afterAll(async () => {
  report('Load and faults', rows);
  await load?.end();
});

it.each([...SCENARIOS, SOAK].map((one) => [one.item, one.name, one] as const))(
  '%s %s',
  async (_item, _name, scenario) => {
    await load.served();
    const { row, wrong } = await play(scenario, load, bounded(scenario.long));
    rows.push(row);
    expect(wrong).toEqual([]);
  },
  86_400_000,
);

it('A-19 rolling restart behind HAProxy', async () => {
  const { row, wrong } = await rollingRestart(bounded({ rate: 500, seconds: 1, times: 1 }).rate);
  rows.push(row);
  expect(wrong).toEqual([]);
}, 600_000);

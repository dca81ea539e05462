import fc from 'fast-check';
import { Admins } from './admin.js';
import { newModel, steps } from './state-model.js';
import { World } from './world.js';

const UNITS = 2;
const RUNS = 6;
const LONGEST = 12;

let world: World;
beforeAll(async () => {
  world = await World.withInstance(UNITS);
}, 60_000);
afterAll(() => world.end());

it('an instance is what its commands made it, in any order, whatever is killed in between', async () => {
  const admins = new Admins(world);
  const units = (await world.units()).map(({ id }) => id);
  const histories = fc.commands(steps(UNITS), { maxCommands: LONGEST, size: 'max' });
  await fc.assert(
    fc.asyncProperty(histories, async (history) => {
      await admins.reach(units);
      await admins.reset();
      await fc.asyncModelRun(() => ({ model: newModel(UNITS), real: { admins, units } }), history);
    }),
    { numRuns: RUNS, endOnFailure: true },
  );
}, 180_000);

import fc from 'fast-check';
import { AgentWorld, rsaKey } from './agent-world.js';
import { type Model, Real, STEPS } from './model.js';

const RUNS = 6;
const LONGEST = 14;

it('a unit is what its acts made it, in whatever order they come and wherever the agent crashes', async () => {
  const keys = { bob: rsaKey(), eve: rsaKey() };
  await fc.assert(
    fc.asyncProperty(fc.commands([...STEPS], { maxCommands: LONGEST, size: 'max' }), async (steps) => {
      const world = new AgentWorld();
      const model: Model = { claimed: false, masterKey: false, kmsUser: false, admins: [], counter: 0, last: null };
      try {
        await world.start();
        await fc.asyncModelRun(() => ({ model, real: new Real(world, keys) }), steps);
      } finally {
        await world.end();
      }
    }),
    { numRuns: RUNS, endOnFailure: true },
  );
}, 300_000);

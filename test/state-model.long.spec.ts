import { histories } from './state-model.js';
import { World } from './world.js';

/** A long form of state-model.spec.ts. */
describe.each([2, 3] as const)('%i units', (count) => {
  let world: World;
  beforeAll(async () => {
    world = await World.withInstance(count);
  }, 60_000);
  afterAll(() => world.end());

  it('are what their commands made them, in any order, whatever is killed in between', async () => {
    await histories(world, { runs: 100, longest: 60 });
  }, 7_200_000);
});

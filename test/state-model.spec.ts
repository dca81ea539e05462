import { histories } from './state-model.js';
import { World } from './world.js';

let world: World;
beforeAll(async () => {
  world = await World.withInstance(2);
}, 60_000);
afterAll(() => world.end());

it('two units are what their commands made them, in any order, whatever is killed in between', async () => {
  await histories(world, { runs: 8, longest: 12 });
}, 240_000);

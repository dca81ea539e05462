import { serves, succeed } from '../units.js';
import { World } from '../world.js';
import { fill, loseEverything, lost, recover, sh, written } from './drill.js';

/** The whole drill: as many keys as an instance may have, and every pair of the three shares. */
const KEYS = 500;
const PAIRS = ['12', '13', '23'];

it('500 keys come back after the loss of everything, with every K of the N shares', async () => {
  const world = await World.withInstance(2, { embedded: true });
  try {
    await world.initialise();
    const sealed = await fill(world, KEYS);
    await succeed(sh(world, written('backup')));
    for (const pair of PAIRS) {
      await loseEverything(world);
      expect(await recover(world, pair)).toBeLessThan(15 * 60_000);
      for (const { id } of await world.units()) await serves(world, id, 30_000);
      expect(await lost(world, sealed)).toEqual([]);
    }
  } finally {
    await world.end();
  }
}, 3_600_000);

import { heal, inject, met } from './fault-module.js';
import type { FaultWorld } from './fault-world.js';

/** The functions that put out bytes which become part of a key, its row, or its proof. */
export const OUTPUTS = ['C_WrapKey', 'C_Encrypt', 'C_Decrypt', 'C_Sign', 'C_GenerateRandom'] as const;
export const ACTS = ['create', 'import', 'rotate'] as const;

/** In turns, a unit makes a key or only helps with it: so often one is made until the unit's own part was met. */
const TRIES = 6;

export interface Flipped {
  readonly faults: number;
  readonly refused: number;
  /** The flips after which a key was acknowledged that does not work. */
  readonly bad: readonly string[];
}

/** Keys are made while one unit flips a bit of the first output of the function, of the second, and so on to the last. */
export async function flipEach(
  w: FaultWorld,
  fn: (typeof OUTPUTS)[number],
  act: (typeof ACTS)[number],
): Promise<Flipped> {
  const [unit = ''] = w.units;
  const bad: string[] = [];
  let [faults, refused] = [0, 0];
  for (let skip = 0; ; skip += 1) {
    let isMet = false;
    for (let tries = 0; tries < TRIES && !isMet; tries += 1) {
      const key = await w.before(act);
      inject(w.world, unit, { fn, act: 'flip', times: 1, skip });
      const made = await w.make(act, key);
      isMet = met(w.world, unit).length > 0;
      heal(w.world, unit);
      if (made === 'refused') refused += 1;
      else if (!(await w.isGood(made))) bad.push(`${act}: output ${skip + 1} of ${fn}`);
    }
    if (!isMet) return { faults, refused, bad };
    faults += 1;
  }
}

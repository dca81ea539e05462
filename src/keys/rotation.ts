import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Caller } from '../access/caller.js';
import { Config } from '../config/config.js';
import type { Key } from './key.entity.js';
import { KeyActs } from './key-acts.js';
import { KeyMaker } from './key-maker.js';
import { assertAllowed } from './key-state.js';
import type { KeyTarget } from './key-target.js';
import { rotationDue } from './key-timers.js';
import { KeyUnits } from './key-units.js';
import type { Material } from './material.js';

/** Makes new versions of root keys, for the command and for the job that rotates what is due. */
@Injectable()
export class Rotation {
  constructor(
    private readonly acts: KeyActs,
    private readonly units: KeyUnits,
    private readonly maker: KeyMaker,
    private readonly config: Config,
  ) {}

  /**
   * The new version is made and proved before the row is locked; `check` then decides again on the row as it is. All
   * versions get new MACs, since they say which one is the latest.
   */
  async run(
    { by, act }: { by: Caller; act: string },
    target: KeyTarget,
    { found, material, check }: { found: Key; material: Material; check: (key: Key, now: Date) => void },
  ): Promise<Key> {
    const versionId = randomUUID();
    const made = await this.maker.rootVersion(found, versionId, material, new Date());
    return this.acts.run({ by, act }, { ...target, key: found.id }, async (tx, key, now) => {
      assertAllowed('rotate', key, now);
      check(key, now);
      const rotated = { createdAt: key.createdAt, rotatedAt: now };
      const next = await this.units.change(
        tx,
        key,
        {
          versionId,
          bits: made.bits,
          algorithm: made.version.algorithm,
          rotatedAt: now,
          changedAt: now,
          updatedAt: now,
          rotationDueAt: rotationDue(rotated, key.rotation, this.config.timers),
        },
        { row: made.row, version: { ...made.version, createdAt: now } },
      );
      const detail = {
        initialValue: { keyVersionId: key.versionId },
        newValue: { keyVersionId: versionId },
        provedOn: made.provedOn,
      };
      return { key: next, detail, unitId: made.madeOn };
    });
  }
}

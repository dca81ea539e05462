import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kp } from '../cli/kp.js';
import { chained, exported, fieldsOf, MadeUnit } from './made-log.js';
import { tamper } from './tampering.js';

it('1,000 random tamperings with a log of 100,000 lines are all found', async () => {
  const { missed, tried } = await tamper(100_000, 1_000);
  expect({ missed, tried }).toEqual({ missed: [], tried: 1_000 });
}, 7_200_000);

describe('kp audit verify', () => {
  const directory = mkdtempSync(join(tmpdir(), 'keystead-verify-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const unit = new MadeUnit();

  /** Milliseconds of one verification by kp, the best of three. */
  async function timeOf(lines: number): Promise<number> {
    const path = join(directory, String(lines));
    const log = chained(Array.from({ length: lines }, (_, at) => fieldsOf(at + 1)));
    writeFileSync(
      path,
      exported(log, unit)
        .map((line) => `${line}\n`)
        .join(''),
    );
    let best = Number.POSITIVE_INFINITY;
    for (let turn = 0; turn < 3; turn += 1) {
      const began = performance.now();
      const { code } = await kp(['audit', 'verify', path, '--unit-key', unit.fingerprint], {
        env: { KP_HOME: directory },
      });
      expect(code).toBe(0);
      best = Math.min(best, performance.now() - began);
    }
    return best;
  }

  it('reads 50,000 lines a second or more, beyond the time that kp takes to start', async () => {
    const [few, many] = [await timeOf(1_000), await timeOf(301_000)];
    expect(300_000 / ((many - few) / 1_000)).toBeGreaterThanOrEqual(50_000);
  }, 600_000);
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, run } from '../processes.js';
import { chained, exported, fieldsOf, MadeUnit } from './made-log.js';
import { tamper } from './tampering.js';

/** Four seconds each with a log of 100,000 lines: a thousand of those take more than an hour. */
it.each([
  [1_000, 10_000],
  [60, 100_000],
])(
  '%i random tamperings with a log of %i lines are all found',
  async (times, lines) => {
    const { missed, tried } = await tamper(lines, times);
    expect({ missed, tried }).toEqual({ missed: [], tried: times });
  },
  3_600_000,
);

describe('kp audit verify', () => {
  const directory = mkdtempSync(join(tmpdir(), 'keystead-verify-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const unit = new MadeUnit();

  /** Milliseconds of processor time of one verification by kp, the best of three. */
  async function timeOf(lines: number): Promise<number> {
    const path = join(directory, String(lines));
    const log = chained(Array.from({ length: lines }, (_, at) => fieldsOf(at + 1)));
    writeFileSync(
      path,
      exported(log, unit)
        .map((line) => `${line}\n`)
        .join(''),
    );
    const words = ['audit', 'verify', path, '--unit-key', unit.fingerprint];
    let best = Number.POSITIVE_INFINITY;
    for (let turn = 0; turn < 3; turn += 1) {
      const timed = ['-c', 'trap times EXIT; "$@"', 'sh', process.execPath, join(ROOT, 'bin', 'kp'), ...words];
      const { code, stdout } = await run('sh', timed, { env: { PATH: process.env['PATH'] ?? '', KP_HOME: directory } });
      expect(code).toBe(0);
      best = Math.min(best, childTime(stdout));
    }
    return best;
  }

  /** The last line of what `times` prints: user and system time of the children, as 0m1.234s each. */
  function childTime(printed: string): number {
    const spent =
      printed
        .trim()
        .split('\n')
        .at(-1)
        ?.match(/(\d+)m([\d.]+)s/g) ?? [];
    expect(spent).toHaveLength(2);
    const milliseconds = spent.map((one) => {
      const [minutes = 0, seconds = 0] = one.replace('s', '').split('m').map(Number);
      return (60 * minutes + seconds) * 1_000;
    });
    return milliseconds.reduce((sum, one) => sum + one);
  }

  it('reads 50,000 lines in a second of processor time or more, beyond the time that kp takes to start', async () => {
    const [few, many] = [await timeOf(1_000), await timeOf(301_000)];
    const rate = 300_000 / ((many - few) / 1_000);
    process.stdout.write(`kp audit verify: ${Math.round(rate)} lines a second of processor time\n`);
    expect(rate).toBeGreaterThanOrEqual(50_000);
  }, 600_000);
});

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { FullDisk } from '../full-disk.js';
import { LoadWorld } from './load-world.js';
import { Tally } from './tally.js';
import { Writer } from './writer.js';

/** The disk with the database and the tokens is full at one write or another of a server at work. */
const DISK_MIB = 768;
const LEAST_ROUNDS = 6;
const ROUNDS = Math.max(LEAST_ROUNDS, Number(process.env['KEYSTEAD_DISK_ROUNDS'] ?? 0));
const FULL_MS = 1_500;
const SLOWEST_MS = 5_000;
/** What a refusal may be: not now, no unit could, or not stored. */
const CLEAN = [502, 503, 507];

const possible = FullDisk.isPossible(mkdtempSync(join(tmpdir(), 'ksd-')));
const why = possible ? '' : ' (skipped: this user may not mount a tmpfs)';
let load: LoadWorld;
const refused = new Map<number, number>();

(possible ? describe : describe.skip)(`A-11 a disk that is full while the server writes${why}`, () => {
  beforeAll(async () => {
    load = await LoadWorld.start({ diskMebibytes: DISK_MIB, env: { KEYSTEAD_TIMER_AUDIT_CHECKPOINT_MS: '300' } });
  }, 120_000);
  afterAll(() => load?.end());

  it.each(Array.from({ length: ROUNDS }, (_, round) => [pagesLeftIn(round), round % 2 === 1] as const))(
    'with %s pages of 4 KiB left (new WAL: %s): refusals are clean, and what was acknowledged is there',
    async (pagesLeft, newWal) => {
      const server = load.world.serverPid;
      const writers = Array.from({ length: 3 }, () => new Writer(load, new Tally()));
      const running = writers.map((writer) => writer.run());
      await after(200);
      load.world.disk?.fill(pagesLeft);
      if (newWal) await load.query('SELECT pg_switch_wal()').catch(() => undefined); // PostgreSQL may end by that
      await after(FULL_MS);
      load.world.disk?.empty();
      await load.answers('/readyz', 200);
      await load.served();
      for (const writer of writers) writer.stop();
      expect(await Promise.all(running)).toEqual([undefined, undefined, undefined]);
      const refusals = writers.flatMap((writer) => writer.refusals);
      expect(refusals.filter(({ status, body }) => !CLEAN.includes(status) || body === undefined)).toEqual([]);
      for (const { status } of refusals) refused.set(status, (refused.get(status) ?? 0) + 1);
      expect(Math.max(...writers.map(({ slowest }) => slowest))).toBeLessThan(SLOWEST_MS);
      expect((await Promise.all(writers.map((writer) => writer.missing()))).flat()).toEqual([]);
      expect(load.world.serverPid).toBe(server);
    },
    120_000,
  );

  it('was full indeed: some were refused', () => {
    process.stdout.write(`refused while the disk was full: ${JSON.stringify([...refused])}\n`);
    expect(refused.size).toBeGreaterThan(0);
  });
});

/** From none to a few hundred: the disk is full at the first write, or some way on. */
function pagesLeftIn(round: number): number {
  return round === 0 ? 0 : 2 ** (round % 9);
}

import { z } from 'zod';
import type { UnitDir } from './unit-dir.js';

/** Asked for on the host, not yet begun. */
export const HOST_REQUEST = 'zeroize.request';
const UNDER_WAY = 'zeroize.json';
const DONE = 'zeroized.json';

const hexOrNone = z.string().regex(/^[0-9a-f]*$/);
const ZeroizeJournal = z.strictObject({
  v: z.literal(1),
  /** Names this zeroize; 16 bytes hex. */
  id: hexOrNone,
  by: z.enum(['command', 'host']),
  plan: z.string().nullable(),
  digest: z.string().nullable(),
  unit: z.string(),
  instance: z.string(),
  serial: z.string(),
  epoch: hexOrNone,
  counter: z.int(),
  /** Null when the record is lost: then nothing can sign. */
  receiptKey: z.strictObject({ id: z.string(), spki: z.string() }).nullable(),
  /** Objects on the token when it began. */
  objects: z.int(),
});
/** The row that is durable before the first object goes: from here on a zeroize is finished, whoever restarts. */
export type ZeroizeJournal = Readonly<z.infer<typeof ZeroizeJournal>>;

const Zeroized = z.strictObject({
  v: z.literal(1),
  id: hexOrNone,
  plan: z.string().nullable(),
  digest: z.string().nullable(),
  serial: z.string(),
  epoch: hexOrNone,
  receipt: z.string().nullable(),
  at: z.string(),
});
/** The last zeroize that was done, and its receipt, which outlives the key that signed it. */
export type Zeroized = Readonly<z.infer<typeof Zeroized>>;

export function zeroizeUnderWay(dir: UnitDir): ZeroizeJournal | undefined {
  const text = dir.read(UNDER_WAY)?.toString('utf8');
  return text === undefined ? undefined : ZeroizeJournal.parse(JSON.parse(text));
}

export function beginZeroize(dir: UnitDir, journal: ZeroizeJournal): void {
  dir.write(UNDER_WAY, `${JSON.stringify(ZeroizeJournal.parse(journal))}\n`);
}

export function endZeroize(dir: UnitDir): void {
  dir.remove(HOST_REQUEST);
  dir.remove(UNDER_WAY);
}

export function zeroizeRequested(dir: UnitDir): boolean {
  return dir.has(HOST_REQUEST);
}

export function lastZeroize(dir: UnitDir): Zeroized | undefined {
  const text = dir.read(DONE)?.toString('utf8');
  return text === undefined ? undefined : Zeroized.parse(JSON.parse(text));
}

export function recordZeroized(dir: UnitDir, zeroized: Zeroized): void {
  dir.write(DONE, `${JSON.stringify(Zeroized.parse(zeroized))}\n`);
}

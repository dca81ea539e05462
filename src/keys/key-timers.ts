import type { Timers } from '../config/timers.js';
import { KeysteadError } from '../shared/errors.js';
import type { Key } from './key.entity.js';

export function plus(date: Date, milliseconds: number): Date {
  return new Date(date.getTime() + milliseconds);
}

interface Rule {
  readonly timer: keyof Timers;
  /** When it began to run; null: it does not. */
  readonly from: (key: Pick<Key, 'changedAt' | 'syncedAt' | 'deletedAt' | 'rotatedAt'>) => Date | null;
  readonly code: 'REQUEST_TOO_EARLY' | 'ROTATION_TOO_EARLY';
  readonly since: string;
}

/** Acts that must wait for a while after another one. */
export const TOO_EARLY = {
  enable: { timer: 'enable', from: (key) => key.changedAt, code: 'REQUEST_TOO_EARLY', since: 'was disabled' },
  restore: { timer: 'restore', from: (key) => key.deletedAt, code: 'REQUEST_TOO_EARLY', since: 'was deleted' },
  purge: { timer: 'purge', from: (key) => key.deletedAt, code: 'REQUEST_TOO_EARLY', since: 'was deleted' },
  sync: {
    timer: 'sync',
    from: ({ changedAt, syncedAt }) => (syncedAt !== null && syncedAt > changedAt ? syncedAt : changedAt),
    code: 'REQUEST_TOO_EARLY',
    since: 'was changed or synchronised',
  },
  rotate: { timer: 'rotate', from: (key) => key.rotatedAt, code: 'ROTATION_TOO_EARLY', since: 'was rotated' },
} as const satisfies Record<string, Rule>;
export type TimedAct = keyof typeof TOO_EARLY;

/** Throws REQUEST_TOO_EARLY, or ROTATION_TOO_EARLY, until the act's time has come. */
export function assertTime(act: TimedAct, key: Parameters<Rule['from']>[0], timers: Timers, now: Date): void {
  const { timer, from, code, since }: Rule = TOO_EARLY[act];
  const begun = from(key);
  if (begun === null || now.getTime() - begun.getTime() >= timers[timer]) return;
  const wait = goDuration(timers[timer]);
  const capital = act.charAt(0).toUpperCase() + act.slice(1);
  throw new KeysteadError(code, `${capital} operation is allowed ${wait} after key ${since}`);
}

/** When a rotation policy rotates a key next: its days or months after the last rotation, or after it was made. */
export function rotationDue(
  key: Pick<Key, 'createdAt' | 'rotatedAt'>,
  rotation: Interval | null,
  timers: Timers,
): Date | null {
  if (!rotation?.enabled) return null;
  const { intervalMonth, intervalDays } = rotation;
  const interval =
    intervalDays === undefined ? intervalMonth * timers.rotationMonth : intervalDays * timers.rotationDay;
  return plus(key.rotatedAt ?? key.createdAt, interval);
}

interface Interval {
  readonly enabled: boolean;
  readonly intervalMonth: number;
  readonly intervalDays?: number | undefined;
}

/** A duration as clients know it from IBM: 4h0m0s, 30s, 1.5s. */
export function goDuration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  const [h, m] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  const s = `${Number((seconds % 60).toFixed(3))}s`;
  if (h > 0) return `${h}h${m}m${s}`;
  return m > 0 ? `${m}m${s}` : s;
}

import { loadConfig } from '../config/config.js';
import { assertTime, goDuration, rotationDue, type TimedAct, TOO_EARLY } from './key-timers.js';

const { timers } = loadConfig({});
const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const DAY = 24 * HOUR;

describe('by default', () => {
  it("every timer is IBM's", () => {
    expect(timers).toMatchObject({
      enable: 30 * SECOND,
      restore: 30 * SECOND,
      restoreWindow: 30 * DAY,
      purge: 4 * HOUR,
      autoPurge: 90 * DAY,
      sync: HOUR,
      rotate: HOUR,
      rotationMonth: 30 * DAY,
      authorization: 7 * DAY,
      importSecond: SECOND,
      token: HOUR,
    });
  });
});

describe.each(Object.keys(TOO_EARLY) as TimedAct[])('%s', (act) => {
  const t0 = new Date('2026-01-01T00:00:00Z');
  const key = { changedAt: t0, syncedAt: null, deletedAt: t0, rotatedAt: t0 };
  const { timer, code } = TOO_EARLY[act];
  const later = (ms: number) => new Date(t0.getTime() + ms);

  it(`is too early one millisecond before its time: ${code}`, () => {
    expect(() => assertTime(act, key, timers, later(timers[timer] - 1))).toThrow(expect.objectContaining({ code }));
  });

  it('is allowed when its time has come', () => {
    expect(() => assertTime(act, key, timers, later(timers[timer]))).not.toThrow();
  });
});

it('a first rotation need not wait', () => {
  const key = { changedAt: new Date(), syncedAt: null, deletedAt: null, rotatedAt: null };
  expect(() => assertTime('rotate', key, timers, new Date())).not.toThrow();
});

it('sync waits for the later of last act and last sync', () => {
  const [old, fresh] = [new Date(0), new Date(HOUR)];
  const key = { changedAt: old, syncedAt: fresh, deletedAt: null, rotatedAt: null };
  expect(() => assertTime('sync', key, timers, new Date(HOUR + 1))).toThrow(/1h0m0s/);
});

it('a rotation is due its months of 30 days after the last one, or after the key was made; never when disabled', () => {
  const createdAt = new Date(0);
  const every2 = { enabled: true, intervalMonth: 2 };
  expect(rotationDue({ createdAt, rotatedAt: null }, every2, timers)).toEqual(new Date(60 * DAY));
  expect(rotationDue({ createdAt, rotatedAt: new Date(DAY) }, every2, timers)).toEqual(new Date(61 * DAY));
  expect(rotationDue({ createdAt, rotatedAt: null }, { ...every2, enabled: false }, timers)).toBeNull();
  expect(rotationDue({ createdAt, rotatedAt: null }, null, timers)).toBeNull();
});

it.each([
  [4 * HOUR, '4h0m0s'],
  [30 * SECOND, '30s'],
  [90 * SECOND, '1m30s'],
  [1_500, '1.5s'],
])('%d ms reads %s', (milliseconds, text) => {
  expect(goDuration(milliseconds)).toBe(text);
});

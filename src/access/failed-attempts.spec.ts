import { jest } from '@jest/globals';
import { loadConfig } from '../config/config.js';
import { FailedAttempts } from './failed-attempts.js';

const limited = expect.objectContaining({ code: 'RATE_LIMITED', retryAfterS: expect.any(Number) });
const attemptsOf = (most: number) =>
  new FailedAttempts(
    loadConfig({ KEYSTEAD_LIMIT_FAILED_ATTEMPTS: String(most), KEYSTEAD_TIMER_FAILED_ATTEMPT_MS: '1000' }),
  );

describe('failed authentications', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  it('are limited by address, and one more is allowed when its time has come', () => {
    const attempts = attemptsOf(20);
    for (let n = 0; n < 20; n += 1) attempts.note('1.2.3.4', `credential ${n}`);
    expect(() => attempts.check('1.2.3.4', 'another')).toThrow(limited);
    expect(() => attempts.check('4.3.2.1', 'another')).not.toThrow();
    jest.advanceTimersByTime(1000);
    expect(() => attempts.check('1.2.3.4', 'another')).not.toThrow();
  });

  it('are limited sooner for one credential at an address, and nowhere else', () => {
    const attempts = attemptsOf(20);
    for (let n = 0; n < 2; n += 1) attempts.note('1.2.3.4', 'the same');
    expect(() => attempts.check('1.2.3.4', 'the same')).toThrow(limited);
    expect(() => attempts.check('1.2.3.4', 'another')).not.toThrow();
    expect(() => attempts.check('4.3.2.1', 'the same')).not.toThrow();
  });

  it('are not limited when the limit is 0', () => {
    const attempts = attemptsOf(0);
    for (let n = 0; n < 1000; n += 1) attempts.note('1.2.3.4', 'the same');
    expect(() => attempts.check('1.2.3.4', 'the same')).not.toThrow();
  });
});

import { Breaker } from './breaker.js';

const NOW = 1_000_000;

it('is closed at first, and a success keeps it so', () => {
  const breaker = new Breaker();
  breaker.begin(NOW);
  breaker.succeeded();
  expect([breaker.state(NOW), breaker.admits(NOW)]).toEqual(['closed', true]);
});

it('passes a unit over after a failure, until a probe that began later found it well', () => {
  const breaker = new Breaker();
  breaker.failed(NOW, false);
  expect(breaker.admits(NOW + 60_000)).toBe(false);
  breaker.foundWell(NOW - 1);
  expect(breaker.admits(NOW)).toBe(false);
  breaker.foundWell(NOW);
  expect(breaker.admits(NOW)).toBe(true);
});

it('blames no unit for faults that its canary does not confirm, however many', () => {
  const breaker = new Breaker();
  for (let n = 0; n < 100; n += 1) {
    breaker.failed(NOW + n, false);
    breaker.foundWell(NOW + n);
  }
  expect([breaker.state(NOW + 100), breaker.admits(NOW + 100)]).toEqual(['closed', true]);
});

describe('after three requests in a row without an answer', () => {
  let breaker: Breaker;
  const fail = (at: number) => {
    breaker.failed(at, true);
    breaker.foundWell(at);
  };
  beforeEach(() => {
    breaker = new Breaker();
    for (let n = 0; n < 3; n += 1) fail(NOW);
  });

  it('is open, whatever the probes say', () => {
    expect([breaker.state(NOW + 499), breaker.admits(NOW + 499)]).toEqual(['open', false]);
  });

  it('is half-open after the pause: one request at a time is the trial', () => {
    const later = NOW + 500;
    expect([breaker.state(later), breaker.admits(later)]).toEqual(['half-open', true]);
    breaker.begin(later);
    expect(breaker.admits(later)).toBe(false);
    breaker.refused();
    expect(breaker.admits(later)).toBe(true);
  });

  it('is closed by a trial that succeeds', () => {
    breaker.begin(NOW + 500);
    breaker.succeeded();
    expect([breaker.state(NOW + 500), breaker.admits(NOW + 500)]).toEqual(['closed', true]);
  });

  it('is open again after a trial that fails, for twice as long, and never longer than 30 s', () => {
    let now = NOW;
    for (const pause of [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      expect(breaker.state(now + pause - 1)).toBe('open');
      now += pause;
      breaker.begin(now);
      fail(now);
    }
  });

  it('does not count requests that began before it opened', () => {
    for (let n = 0; n < 50; n += 1) fail(NOW + 1);
    expect(breaker.state(NOW + 500)).toBe('half-open');
  });
});

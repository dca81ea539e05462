import { RetryBudget } from './retry-budget.js';

/** How many requests may leave their units now, one after the other. */
function spent(budget: RetryBudget): number {
  let count = 0;
  for (; budget.allows; count += 1) budget.spend();
  return count;
}
const times = (count: number, act: () => void) => {
  for (let n = 0; n < count; n += 1) act();
};

it('256 requests in a row may leave their units, and then none', () => {
  const budget = new RetryBudget();
  expect([spent(budget), spent(budget)]).toEqual([256, 0]);
});

it('of many that are served one in twenty may', () => {
  const budget = new RetryBudget();
  spent(budget);
  times(19, () => budget.earn());
  expect(spent(budget)).toBe(0);
  times(1_001, () => budget.earn());
  expect(spent(budget)).toBe(51);
});

it('what is not spent does not grow', () => {
  const budget = new RetryBudget();
  times(100_000, () => budget.earn());
  expect(spent(budget)).toBe(256);
});

it('those who are over it, since they began while it allowed them, are paid back first', () => {
  const budget = new RetryBudget();
  times(256 + 2, () => budget.spend());
  times(2 * 20, () => budget.earn());
  expect(spent(budget)).toBe(0);
  times(20, () => budget.earn());
  expect(spent(budget)).toBe(1);
});

import fc from 'fast-check';
import { Distribution } from './distribution.js';

it('counts for every bound the values that are not above it, and sums them all', () => {
  const bounds = fc.uniqueArray(fc.integer({ min: -50, max: 50 }), { maxLength: 8 });
  const values = fc.array(fc.integer({ min: -60, max: 60 }));
  fc.assert(
    fc.property(bounds, values, (unsorted, observed) => {
      const ascending = unsorted.toSorted((a, b) => a - b);
      const distribution = new Distribution(ascending);
      for (const value of observed) distribution.observe(value);
      const expected = [...ascending, Number.POSITIVE_INFINITY].map(
        (bound) => observed.filter((value) => value <= bound).length,
      );
      expect(distribution.cumulated()).toEqual(expected);
      expect(distribution.sum).toBe(observed.reduce((sum, value) => sum + value, 0));
    }),
  );
});

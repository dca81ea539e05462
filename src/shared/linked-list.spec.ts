import { LinkedList } from './linked-list.js';

describe('A linked list', () => {
  const listOf = (...values: string[]) => {
    const list = new LinkedList<string>();
    return { list, entries: values.map((value) => list.add(value)) };
  };

  it('gives its values in the order in which they came', () => {
    expect([...listOf('a', 'b', 'c').list]).toEqual(['a', 'b', 'c']);
  });

  it.each([
    ['first', 0, ['b', 'c']],
    ['middle', 1, ['a', 'c']],
    ['last', 2, ['a', 'b']],
  ])('lets the %s go', (_place, at, left) => {
    const { list, entries } = listOf('a', 'b', 'c');
    list.remove(entries[at] as (typeof entries)[number]);
    expect([...list]).toEqual(left);
    list.add('d');
    expect([...list]).toEqual([...left, 'd']);
  });

  it('is empty when all went, and takes more', () => {
    const { list, entries } = listOf('a', 'b');
    for (const entry of entries) list.remove(entry);
    expect([...list]).toEqual([]);
    list.add('c');
    expect([...list]).toEqual(['c']);
  });

  it('may lose each value while it is gone over', () => {
    const { list, entries } = listOf('a', 'b', 'c');
    const seen: string[] = [];
    for (const value of list) {
      seen.push(value);
      list.remove(entries[seen.length - 1] as (typeof entries)[number]);
    }
    expect(seen).toEqual(['a', 'b', 'c']);
  });
});

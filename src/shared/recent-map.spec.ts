import { RecentMap } from './recent-map.js';

const filled = (...names: string[]) => {
  const gone: string[] = [];
  const map = new RecentMap<string>(2, (value) => gone.push(value));
  for (const name of names) map.set(name, `value of ${name}`);
  return { map, gone };
};

it('the value that was used longest ago goes when there is one too many', () => {
  const { map, gone } = filled('a', 'b');
  expect(map.get('a')).toBe('value of a');
  map.set('c', 'value of c');
  expect(gone).toEqual(['value of b']);
  expect(['a', 'b', 'c'].map((name) => map.get(name))).toEqual(['value of a', undefined, 'value of c']);
});

it('a value that is set again takes no more room, and is used by that', () => {
  const { map, gone } = filled('a', 'b', 'a', 'c');
  expect(gone).toEqual(['value of b']);
  expect(map.get('a')).toBe('value of a');
});

it('a value is made once, and not kept when making it failed', () => {
  const { map } = filled();
  const refuse = () => {
    throw new Error('not made');
  };
  expect(() => map.of('a', refuse)).toThrow('not made');
  expect(map.of('a', () => 'made')).toBe('made');
  expect(map.of('a', refuse)).toBe('made');
});

it('all go when it is cleared', () => {
  const { map, gone } = filled('a', 'b');
  map.clear();
  expect(gone).toEqual(['value of a', 'value of b']);
  expect(map.get('a')).toBeUndefined();
});

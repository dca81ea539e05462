import { GenuineRows } from './genuine-rows.js';

const MAC_KEY = Buffer.alloc(16, 1);
const STORED = Buffer.from('a row, its blob and its MAC');
const ROW = { state: 'active', blob: Buffer.alloc(40) };

function counting() {
  let asked = 0;
  const confirm = () => {
    asked += 1;
    return ROW;
  };
  return { confirm, asked: () => asked };
}

it('a row is confirmed once, and known by all of its bytes from then on', () => {
  const rows = new GenuineRows();
  const { confirm, asked } = counting();
  for (let n = 0; n < 3; n += 1) expect(rows.of(MAC_KEY, Buffer.from(STORED), confirm)).toBe(ROW);
  expect(asked()).toBe(1);
  STORED.forEach((_byte, at) => {
    const changed = Buffer.from(STORED);
    changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
    rows.of(MAC_KEY, changed, confirm);
  });
  expect(asked()).toBe(1 + STORED.length);
});

it('a row that is not confirmed is asked about each time', () => {
  const rows = new GenuineRows();
  let asked = 0;
  const refuse = () => {
    asked += 1;
    throw new Error('not genuine');
  };
  for (let n = 0; n < 2; n += 1) expect(() => rows.of(MAC_KEY, STORED, refuse)).toThrow('not genuine');
  expect(asked).toBe(2);
});

it('nothing is known under another MAC key, nor after it was told to forget', () => {
  const rows = new GenuineRows();
  const { confirm, asked } = counting();
  rows.of(MAC_KEY, STORED, confirm);
  rows.of(Buffer.alloc(16, 2), STORED, confirm);
  rows.of(MAC_KEY, STORED, confirm);
  rows.forget();
  rows.of(MAC_KEY, STORED, confirm);
  expect(asked()).toBe(4);
});

import { isWholeObject } from './softhsm-object-file.js';

const number = (value: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
};
const attribute = (type: number, kind: number, ...value: Buffer[]) => [number(type), number(kind), ...value];

/** A data object as SoftHSM 2.6.1 writes it, shortened, with one attribute of each kind. */
const WHOLE = Buffer.concat([
  number(1),
  ...attribute(0x0, 2, number(0)),
  ...attribute(0x1, 1, Buffer.from([1])),
  ...attribute(0x11, 3, number(5), Buffer.from('value')),
  ...attribute(0x172, 1, Buffer.from([1])),
  ...attribute(0x40000211, 4, number(3), Buffer.from('abc')),
  ...attribute(0x40000600, 5, number(2), number(1), number(2)),
]);

it('a whole object file is seen as whole', () => expect(isWholeObject(WHOLE)).toBe(true));

it('a file that was cut anywhere before CKA_DESTROYABLE, or within an attribute, is torn', () => {
  const destroyable = WHOLE.indexOf(number(0x172)) + 17;
  const ends = [destroyable, destroyable + 27, WHOLE.length];
  for (let length = 0; length < WHOLE.length; length += 1) {
    expect([length, isWholeObject(WHOLE.subarray(0, length))]).toEqual([length, ends.includes(length)]);
  }
});

it('an attribute of a kind that we do not know is no proof of harm', () => {
  expect(isWholeObject(Buffer.concat([number(1), ...attribute(0x0, 9, Buffer.from('?'))]))).toBe(true);
});

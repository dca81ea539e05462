import { Command } from 'commander';
import {
  hashOption,
  idsOption,
  oneFile,
  onOff,
  splitList,
  toFingerprint,
  toKey,
  toKeyRing,
  toMoment,
  toNumber,
  toUuid,
  unitKeyOption,
} from './options.js';

const ID = '6e0aead3-9d44-4c92-a4c4-f7a1ab415420';
const ID2 = '3bb363fc-b1f9-4237-b37b-2c9e07784e3c';

const parse = (words: readonly string[]) =>
  new Command('kp')
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .addOption(idsOption())
    .addOption(unitKeyOption())
    .parse([...words], { from: 'user' })
    .opts<{ ids?: string[]; unitKey?: string[] }>();

test('--ids takes a list, repeats, and both together', () => {
  expect(parse(['--ids', `${ID},${ID2}`]).ids).toEqual([ID, ID2]);
  expect(parse(['--ids', ID, '--ids', ID2]).ids).toEqual([ID, ID2]);
  expect(() => parse(['--ids', 'all'])).toThrow('An id looks like');
});

test('a fingerprint is taken with colons, blanks and capitals, as people copy it', () => {
  const digits = 'ab'.repeat(32);
  expect(toFingerprint(`${'AB:'.repeat(31)}A B`)).toBe(digits);
  expect(parse(['--unit-key', digits, '--unit-key', `${digits},${digits}`]).unitKey).toEqual([digits, digits, digits]);
  expect(() => toFingerprint('abcd')).toThrow('64 hex digits');
});

test('--file and --credential mean the same and exclude each other', () => {
  expect(oneFile({ file: 'a' }, 'credential')).toBe('a');
  expect(oneFile({ credential: 'a' }, 'credential')).toBe('a');
  expect(() => oneFile({ file: 'a', credential: 'b' }, 'credential')).toThrow('give one of them');
  expect(() => oneFile({}, 'credential')).toThrow('--credential FILE is missing');
  expect(() => oneFile({ file: 'a'.repeat(256) }, 'file')).toThrow('1 to 255');
});

test('numbers and ids are taken in one spelling', () => {
  expect(toNumber(2, 255)('3')).toBe(3);
  for (const bad of ['1', '256', '2.5', '-3', '', '0x3', '1e2'])
    expect(() => toNumber(2, 255)(bad)).toThrow('whole number');
  expect(toUuid(ID.toUpperCase())).toBe(ID);
  expect(splitList(' a, b,,c ')).toEqual(['a', 'b', 'c']);
});

test('a key is named by its id, in lower case, or by an alias as it is', () => {
  expect(toKey(ID.toUpperCase())).toBe(ID);
  expect(toKey('Payments_1')).toBe('Payments_1');
  for (const bad of ['a', 'x'.repeat(91), 'a b', 'a/b', '../keys', 'a?b', 'é1'])
    expect(() => toKey(bad)).toThrow('alias');
  expect(toKeyRing('x'.repeat(100))).toHaveLength(100);
  for (const bad of ['a', 'x'.repeat(101), 'a b', 'a\r\nb']) expect(() => toKeyRing(bad)).toThrow('key ring');
});

test('a moment is one of RFC 3339, and is sent in UTC', () => {
  expect(toMoment('2031-12-31')).toBe('2031-12-31T00:00:00.000Z');
  expect(toMoment('2031-12-31T23:59:59+02:00')).toBe('2031-12-31T21:59:59.000Z');
  for (const bad of ['', 'tomorrow', '2031', '31.12.2031', '2031-13-01']) expect(() => toMoment(bad)).toThrow('date');
});

test('a switch is on or off, never both and never neither', () => {
  expect(onOff({ enable: true })).toBe(true);
  expect(onOff({ disable: true })).toBe(false);
  expect(() => onOff({})).toThrow('either');
  expect(() => onOff({ enable: true, disable: true })).toThrow('either');
});

test('a hash is SHA256 or SHA1, as people write it', () => {
  const hashOf = (...words: string[]) =>
    new Command('kp')
      .exitOverride()
      .configureOutput({ outputError: () => undefined })
      .addOption(hashOption('--hash <algorithm>', 'the hash'))
      .parse(words, { from: 'user' })
      .opts<{ hash: string }>().hash;
  expect([hashOf(), hashOf('--hash', 'sha-256'), hashOf('--hash', 'SHA1')]).toEqual(['SHA256', 'SHA256', 'SHA1']);
  expect(() => hashOf('--hash', 'md5')).toThrow('SHA256 or SHA1');
});

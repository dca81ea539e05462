import { Command } from 'commander';
import { idsOption, oneFile, splitList, toBase64, toFingerprint, toNumber, toUuid, unitKeyOption } from './options.js';

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

test('numbers, ids and base64 are taken in one spelling', () => {
  expect(toNumber(2, 255)('3')).toBe(3);
  for (const bad of ['1', '256', '2.5', '-3', '', '0x3', '1e2'])
    expect(() => toNumber(2, 255)(bad)).toThrow('whole number');
  expect(toUuid(ID.toUpperCase())).toBe(ID);
  expect(toBase64('AQI=')).toBe('AQI=');
  for (const bad of ['', 'AQI', 'AQJ=', 'AQ I=']) expect(() => toBase64(bad)).toThrow('base64');
  expect(splitList(' a, b,,c ')).toEqual(['a', 'b', 'c']);
});

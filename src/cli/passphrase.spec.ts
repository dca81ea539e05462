import { parseReference, parseSource, printable } from './passphrase.js';

const SECRET = 'hunter2-hunter2';

test.each([
  ['a.key', 'a.key', { kind: 'ask' }],
  ['a.key#', 'a.key', { kind: 'none' }],
  ['a.key#env:PASS', 'a.key', { kind: 'env', name: 'PASS' }],
  ['a.key#file:/run/p', 'a.key', { kind: 'file', path: '/run/p' }],
  ['a.key#fd:3', 'a.key', { kind: 'fd', fd: 3 }],
  ['a.key#stdin', 'a.key', { kind: 'fd', fd: 0 }],
  ['a.key#pass:env:PASS', 'a.key', { kind: 'literal', value: 'env:PASS', bare: false }],
  [`a.key#${SECRET}`, 'a.key', { kind: 'literal', value: SECRET, bare: true }],
  [`we#ird.key#${SECRET}`, 'we#ird.key', { kind: 'literal', value: SECRET, bare: true }],
  ['a.key#pass: with blanks ', 'a.key', { kind: 'literal', value: ' with blanks ', bare: false }],
] as const)('%s divides at the last # and names its source', (text, file, source) => {
  expect(parseReference(text, true)).toEqual({ file, source, fromArgv: true });
});

test.each(['#x', '', `${'a'.repeat(256)}#x`])('%j has no path of 1 to 255 characters', (text) => {
  expect(() => parseReference(text, true)).toThrow('1 to 255 characters');
});

test.each(['env:', 'env:1A', 'env:A B', 'file:', 'fd:', 'fd:x', 'fd:-1'])('%s is refused', (text) => {
  expect(() => parseSource(text)).toThrow('must be followed by');
});

test.each([
  ['a.key', 'a.key'],
  ['a.key#', 'a.key#'],
  ['a.key#env:PASS', 'a.key#env:PASS'],
  ['a.key#file:/run/p', 'a.key#file:/run/p'],
  ['a.key#fd:3', 'a.key#fd:3'],
  ['a.key#stdin', 'a.key#stdin'],
  [`a.key#pass:${SECRET}`, 'a.key'],
  [`a.key#${SECRET}`, 'a.key'],
])('%s may be printed as %s', (text, printed) => {
  expect(printable(parseReference(text, true))).toBe(printed);
});

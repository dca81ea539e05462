import { unitTable } from './crypto-units.js';
import { listing, table } from './table.js';

test("crypto units are listed exactly as IBM's kp lists them", () => {
  const units = [
    {
      id: '6e0aead3-9d44-4c92-a4c4-f7a1ab415420',
      instanceId: 'c28a8939-3980-4697-a80c-50b1f8bbf160',
      state: 'reserved',
    },
    {
      id: '3bb363fc-b1f9-4237-b37b-2c9e07784e3c',
      instanceId: 'c28a8939-3980-4697-a80c-50b1f8bbf160',
      state: 'reserved',
    },
  ];
  expect(unitTable(units)).toBe(
    [
      '*******************************************************',
      'Id                                     InstanceID                             State',
      '6e0aead3-9d44-4c92-a4c4-f7a1ab415420   c28a8939-3980-4697-a80c-50b1f8bbf160   reserved',
      '3bb363fc-b1f9-4237-b37b-2c9e07784e3c   c28a8939-3980-4697-a80c-50b1f8bbf160   reserved',
      '*******************************************************',
    ].join('\n'),
  );
});

test('a table without rows is its head', () => {
  expect(table(['A', 'B'], [])).toBe('A   B');
});

test('a missing value is listed as a dash', () => {
  expect(
    listing([
      ['Name', 'x'],
      ['Zone', null],
    ]),
  ).toBe('Name   x\nZone   -');
});

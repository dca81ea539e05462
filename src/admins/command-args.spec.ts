import { randomBytes } from 'node:crypto';
import { SIGNED_OPS } from '../shared/unit-state.js';
import { COMMAND_ARGS, MasterKeyName, readArgs, UserName } from './command-args.js';

const hex = (bytes: number) => 'a1'.repeat(bytes);
const base64 = (bytes: number) => randomBytes(bytes).toString('base64');
const unit = { importer: hex(32), oaep: 'SHA-1', wrap: base64(384), mac: base64(384) };
const mkImport = {
  mkId: hex(16),
  setId: hex(16),
  name: 'mk 1',
  algorithm: 'AES-256',
  t: 2,
  n: 3,
  mkvp: hex(16),
  createdAt: '2026-01-01T00:00:00.000Z',
  check: { blob: base64(40), answer: hex(32) },
  units: { '6e0aead3-9d44-4c92-a4c4-f7a1ab415420': unit },
};

describe('the args of a signed op', () => {
  it('have a shape for every op', () => {
    expect(Object.keys(COMMAND_ARGS).sort()).toEqual([...SIGNED_OPS].sort());
  });

  it('are read as they are', () => {
    expect(readArgs('mk.import', mkImport)).toEqual(mkImport);
    expect(readArgs('mk.random', { bytes: 32 })).toEqual({ bytes: 32 });
    expect(readArgs('mk.importer', {})).toEqual({});
    expect(readArgs('user.add', { type: 'admin', name: 'Zoë', certificate: 'PEM' })).toHaveProperty('name', 'Zoë');
    expect(readArgs('zeroize', { force: false })).toEqual({ force: false });
  });

  it.each([
    ['mk.random', { bytes: 64 }],
    ['mk.importer', { x: 1 }],
    ['zeroize', {}],
    ['zeroize', { force: 'yes' }],
    ['user.add', { type: 'root', name: 'a', certificate: 'PEM' }],
    ['user.add', { type: 'admin', name: 'a', publicKey: 'PEM' }],
    ['user.add', { type: 'kmsCryptoUser', name: 'a', publicKey: 'PEM', certificate: 'PEM' }],
    ['user.add', { type: 'admin', name: 'a\u0000', certificate: 'PEM' }],
    ['user.remove', { name: '' }],
    ['mk.import', { ...mkImport, t: 4 }],
    ['mk.import', { ...mkImport, t: 1 }],
    ['mk.import', { ...mkImport, n: 256 }],
    ['mk.import', { ...mkImport, mkvp: hex(16).toUpperCase() }],
    ['mk.import', { ...mkImport, units: {} }],
    ['mk.import', { ...mkImport, units: { u: { ...unit, oaep: 'MD5' } } }],
    ['mk.import', { ...mkImport, units: { u: { ...unit, wrap: `${unit.wrap} ` } } }],
    ['mk.import', { ...mkImport, check: { ...mkImport.check, blob: base64(39) } }],
    ['mk.import', { ...mkImport, masterKey: 'x' }],
  ] as const)('refuse another shape: %s %#', (op, args) => {
    expect(() => readArgs(op, args)).toThrow(
      expect.objectContaining({ code: 'COMMAND_MALFORMED', message: expect.stringContaining(op) }),
    );
  });

  it.each(['k', 'mk1', 'AUTO-GEN', 'a b', '12345678'])('take "%s" as the name of a master key', (name) => {
    expect(MasterKeyName.safeParse(name).success).toBe(true);
  });

  it.each(['', ' a', 'a ', '123456789', 'ä', 'a\n'])('do not take "%s" as the name of a master key', (name) => {
    expect(MasterKeyName.safeParse(name).success).toBe(false);
  });

  it('take a name of an administrator of 1 to 255 characters', () => {
    expect([1, 255, 256].map((length) => UserName.safeParse('ä'.repeat(length)).success)).toEqual([true, true, false]);
  });
});

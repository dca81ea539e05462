import { randomBytes } from 'node:crypto';
import { assertChangeable, assertHasMaterial, assertUsable, isGenuine, type KeyUse, rowBytes } from './key-row.js';
import type { KeyRowFields } from './protocol.js';

const row: KeyRowFields = {
  instance: 'i',
  key: 'k',
  version: '1',
  algorithm: 'AES-256',
  state: 'active',
  policy: '{}',
};
const blob = Buffer.alloc(40, 7);
const mac = randomBytes(32);

describe('the row MAC', () => {
  it('covers every field and the blob', () => {
    const numbered: KeyRowFields = { ...row, auditSeq: '7' };
    const names = Object.keys(numbered) as (keyof KeyRowFields)[];
    const forms = names.map((name) => rowBytes({ ...numbered, [name]: `${numbered[name]}x` }, blob).toString('hex'));
    for (const one of [numbered, row]) {
      forms.push(rowBytes(one, Buffer.alloc(40, 8)).toString('hex'), rowBytes(one, blob).toString('hex'));
    }
    expect(new Set(forms).size).toBe(names.length + 4);
  });

  it('cannot be moved between neighbouring fields', () => {
    expect(rowBytes({ ...row, key: 'ab', version: 'c' }, blob)).not.toEqual(
      rowBytes({ ...row, key: 'a', version: 'bc' }, blob),
    );
  });
});

describe('a key row', () => {
  const attempt = (use: KeyUse, state: string, given = mac, instance = row.instance) => {
    return () => assertUsable(use, { ...row, state }, { given, computed: mac }, instance);
  };

  it.each([
    ['encrypt', 'active', true],
    ['encrypt', 'deactivated', false],
    ['encrypt', 'suspended', false],
    ['decrypt', 'active', true],
    ['decrypt', 'deactivated', true],
    ['decrypt', 'suspended', false],
    ['decrypt', 'destroyed', false],
    ['import keys', 'active', true],
    ['import keys', 'destroyed', false],
    ['encrypt', 'pre-activation', false],
    ['decrypt', 'pre-activation', false],
    ['encrypt its own anew', 'deactivated', true],
    ['encrypt its own anew', 'suspended', false],
    ['sign', 'active', true],
    ['sign', 'deactivated', false],
    ['sign', 'suspended', false],
    ['sign', 'pre-activation', false],
    ['verify', 'deactivated', true],
    ['verify', 'suspended', false],
    ['give its public key', 'suspended', true],
    ['give its public key', 'pre-activation', false],
    ['give its public key', 'destroyed', false],
    ['take material', 'pre-activation', true],
    ['take material', 'active', true],
    ['take material', 'suspended', true],
    ['take material', 'deactivated', false],
    ['take material', 'destroyed', false],
    ['lose its material', 'active', true],
    ['lose its material', 'suspended', true],
    ['lose its material', 'pre-activation', false],
    ['lose its material', 'deactivated', false],
  ] as const)('%s, of a key that is %s: %s', (use, state, allowed) => {
    if (allowed) expect(attempt(use, state)).not.toThrow();
    else expect(attempt(use, state)).toThrow(expect.objectContaining({ code: 'KEY_STATE' }));
  });

  it('with another MAC, or a shorter one, is refused whatever its state', () => {
    for (const given of [randomBytes(32), mac.subarray(0, 31), Buffer.alloc(0)]) {
      expect(attempt('encrypt', 'suspended', given)).toThrow(expect.objectContaining({ code: 'KEY_ROW_INVALID' }));
    }
  });

  it("of another instance than the unit's is refused", () => {
    expect(attempt('decrypt', 'active', mac, 'j')).toThrow(expect.objectContaining({ code: 'KEY_ROW_INVALID' }));
  });
});

describe('the change of a row', () => {
  const STATES = ['pre-activation', 'active', 'suspended', 'deactivated', 'destroyed'];
  const MAY: Record<string, readonly string[]> = {
    'pre-activation': ['pre-activation', 'active', 'suspended', 'destroyed'],
    active: ['active', 'suspended', 'deactivated', 'destroyed'],
    suspended: ['active', 'suspended', 'deactivated', 'destroyed'],
    deactivated: ['deactivated', 'destroyed'],
    destroyed: ['destroyed', 'active', 'deactivated'],
  };
  const attempt = (from: string, to: string, given = mac) => {
    return () => assertChangeable({ ...row, state: from }, { state: to }, { given, computed: mac }, row.instance);
  };

  it.each(STATES.flatMap((from) => [...STATES, 'lost'].map((to) => [from, to] as const)))('%s to %s', (from, to) => {
    if (MAY[from]?.includes(to)) expect(attempt(from, to)).not.toThrow();
    else expect(attempt(from, to)).toThrow(expect.objectContaining({ code: 'KEY_STATE' }));
  });

  it('of a state that is none is refused, and of a row that was changed above all', () => {
    for (const state of ['', 'lost', 'constructor', '__proto__']) {
      expect(attempt(state, state)).toThrow(expect.objectContaining({ code: 'KEY_STATE' }));
    }
    expect(attempt('deactivated', 'active', randomBytes(32))).toThrow(
      expect.objectContaining({ code: 'KEY_ROW_INVALID' }),
    );
  });

  it.each([
    [undefined, '1', true],
    ['9', '9', true],
    ['9', '10', true],
    ['10', '9', false],
    ['9', undefined, false],
    ['9', '', false],
    ['9', '1e9', false],
    ['9', '-10', false],
  ])('is never before the one before: number %s to %s', (from, to, good) => {
    const numbered = { ...row, ...(from !== undefined && { auditSeq: from }) };
    const change = () =>
      assertChangeable(numbered, { state: 'active', auditSeq: to }, { given: mac, computed: mac }, row.instance);
    if (good) expect(change).not.toThrow();
    else expect(change).toThrow(expect.objectContaining({ code: 'KEY_ROW_INVALID' }));
  });
});

it.each([
  ['pre-activation', true],
  ['destroyed', true],
  ['active', false],
  ['suspended', false],
  ['deactivated', false],
])('a key without material can be %s: %s', (state, allowed) => {
  const attempt = (kept: Buffer) => () => assertHasMaterial({ ...row, state }, kept);
  if (allowed) expect(attempt(Buffer.alloc(0))).not.toThrow();
  else expect(attempt(Buffer.alloc(0))).toThrow(expect.objectContaining({ code: 'KEY_STATE' }));
  expect(attempt(blob)).not.toThrow();
});

it('a row is genuine with its own MAC in its own instance', () => {
  const answers = [
    isGenuine(row, { given: mac, computed: mac }, 'i'),
    isGenuine(row, { given: mac, computed: mac }, 'j'),
    isGenuine(row, { given: randomBytes(32), computed: mac }, 'i'),
  ];
  expect(answers).toEqual([true, false, false]);
});

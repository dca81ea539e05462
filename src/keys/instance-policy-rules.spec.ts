import { assertCreate, assertToken, policiesForNewKey, storedAttributes } from './instance-policy-rules.js';

const bytes = Buffer.alloc(16);
const secure = { wrappedKey: bytes, encryptedNonce: bytes, iv: bytes, oaep: 'SHA-256' as const };
const KINDS = {
  createRootKey: { extractable: false },
  createStandardKey: { extractable: true },
  importRootKey: { extractable: false, material: bytes },
  importStandardKey: { extractable: true, material: bytes },
};
const forbidden = expect.objectContaining({ code: 'POLICY_FORBIDS' });

describe('keyCreateImportAccess', () => {
  it.each(Object.keys(KINDS) as (keyof typeof KINDS)[])('%s false forbids that and nothing else', (flag) => {
    const enabled = { keyCreateImportAccess: { [flag]: false } };
    for (const [kind, input] of Object.entries(KINDS)) {
      const attempt = () => assertCreate(enabled, input);
      if (kind === flag) expect(attempt).toThrow(forbidden);
      else expect(attempt).not.toThrow();
    }
  });

  it('enforce_token lets root keys in through a token only, whatever way they come, and no standard key', () => {
    const enabled = { keyCreateImportAccess: { enforceToken: true } };
    expect(() => assertCreate(enabled, KINDS.importRootKey)).toThrow(forbidden);
    expect(() => assertCreate(enabled, KINDS.importStandardKey)).toThrow(forbidden);
    expect(() => assertCreate(enabled, { extractable: false, secure })).not.toThrow();
    expect(() => assertCreate(enabled, KINDS.createRootKey)).not.toThrow();
    expect(() => assertToken(enabled, { material: bytes })).toThrow(forbidden);
    expect(() => assertToken(enabled, { secure })).not.toThrow();
    expect(() => assertToken(enabled, {})).not.toThrow();
  });

  it('not set forbids nothing', () => {
    for (const input of Object.values(KINDS)) expect(() => assertCreate({}, input)).not.toThrow();
  });

  it('stores omitted attributes as their defaults', () => {
    const input = { type: 'keyCreateImportAccess', enabled: true, attributes: { createRootKey: false } } as const;
    expect(storedAttributes(input, { importRootKey: false })).toEqual({
      createRootKey: false,
      createStandardKey: true,
      importRootKey: true,
      importStandardKey: true,
      enforceToken: false,
    });
  });
});

describe('a new key', () => {
  const enabled = { rotation: { intervalMonth: 5 }, dualAuthDelete: {} };
  const none = { rotation: null, dualAuthDelete: null };
  it('gets the policies of the instance; rotation only when it is a generated root key', () => {
    const both = { rotation: { enabled: true, intervalMonth: 5 }, dualAuthDelete: { enabled: true } };
    expect(policiesForNewKey(enabled, KINDS.createRootKey)).toEqual(both);
    expect(policiesForNewKey(enabled, KINDS.importRootKey)).toEqual({ ...both, rotation: null });
    expect(policiesForNewKey(enabled, KINDS.createStandardKey)).toEqual({ ...both, rotation: null });
    expect(policiesForNewKey({}, KINDS.createRootKey)).toEqual(none);
  });
  it('with overrides gets those and no others', () => {
    const with3 = { ...KINDS.createRootKey, overrides: { rotation: { intervalMonth: 3 } } };
    expect(policiesForNewKey(enabled, with3)).toEqual({ ...none, rotation: { enabled: true, intervalMonth: 3 } });
    expect(policiesForNewKey(enabled, { ...KINDS.createRootKey, overrides: {} })).toEqual(none);
  });
  it('that is imported cannot have a rotation policy', () => {
    const input = { ...KINDS.importRootKey, overrides: { rotation: { intervalMonth: 3 } } };
    expect(() => policiesForNewKey(enabled, input)).toThrow(expect.objectContaining({ code: 'FIELD_INVALID' }));
  });
});

describe('what a policy cannot be', () => {
  it.each([
    { type: 'rotation', enabled: true },
    { type: 'rotation', enabled: true, attributes: { intervalMonth: 13 } },
    { type: 'rotation', enabled: true, attributes: { intervalMonth: 1.5 } },
    { type: 'allowedIP', enabled: true, attributes: { allowedIp: [] } },
    { type: 'allowedIP', enabled: true, attributes: { allowedIp: ['10.0.0.0/33'] } },
    { type: 'allowedIP', enabled: true, attributes: { allowedIp: ['example.com'] } },
    { type: 'allowedNetwork', enabled: true },
  ] as const)('%j', (input) => {
    expect(() => storedAttributes(input, undefined)).toThrow(expect.objectContaining({ code: 'FIELD_INVALID' }));
  });
  it('a disabled rotation keeps no interval; a disabled network keeps its attribute', () => {
    expect(storedAttributes({ type: 'rotation', enabled: false, attributes: { intervalMonth: 3 } }, {})).toEqual({});
    const before = { allowedNetwork: 'private-only' };
    expect(storedAttributes({ type: 'allowedNetwork', enabled: false }, before)).toEqual(before);
  });
});

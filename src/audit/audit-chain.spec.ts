import fc from 'fast-check';
import { Secret } from '../shared/secret.js';
import { canonicalJson, GENESIS, hashOf } from './audit-chain.js';

const LINE = {
  seq: '1',
  at: new Date('2026-01-02T03:04:05.678Z'),
  act: 'a',
  outcome: 'success',
  by: 'b',
  instanceId: null,
  unitId: null,
  target: null,
  detail: null,
  correlationId: null,
  requestPath: null,
} as const;

describe('the hash of a line', () => {
  it('is the one that another implementation computed, so old chains stay valid', () => {
    expect(hashOf(LINE, GENESIS).toString('hex')).toBe(
      'e04a43ad5c595f853a73e9707428d2c8dafd5aca50b77b951343ec9ff373f94a',
    );
  });

  it('changes with every field, and with the line before', () => {
    const variants = [
      { seq: '2' },
      { at: new Date('2026-01-02T03:04:05.679Z') },
      { act: 'ab', by: '' },
      { act: '', by: 'ab' },
      { outcome: 'failure' },
      { instanceId: '' },
      { unitId: '' },
      { target: '' },
      { target: 'x' },
      { detail: 'x' },
      { correlationId: '' },
      { correlationId: 'x' },
      { requestPath: '' },
      { requestPath: 'x' },
    ] as const;
    const hashes = [{}, ...variants].map((change) => hashOf({ ...LINE, ...change }, GENESIS).toString('hex'));
    hashes.push(hashOf(LINE, Buffer.alloc(32)).toString('hex'));
    expect(new Set(hashes).size).toBe(variants.length + 2);
  });
});

describe('canonical JSON', () => {
  it('does not depend on the order of members', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (object) => {
        const reversed = Object.fromEntries(Object.entries(object).reverse());
        expect(canonicalJson(reversed)).toBe(canonicalJson(object));
        expect(JSON.parse(canonicalJson(object))).toEqual(JSON.parse(JSON.stringify(object)));
      }),
    );
  });

  it('shows no secret and refuses bytes, at any depth', () => {
    expect(canonicalJson({ a: [{ pin: new Secret(Buffer.from('1')) }] })).toBe('{"a":[{"pin":"[secret]"}]}');
    for (const bytes of [Buffer.from('x'), new Uint8Array(1), new ArrayBuffer(1)]) {
      expect(() => canonicalJson({ a: [{ bytes }] })).toThrow('takes no bytes');
    }
  });
});

import fc from 'fast-check';
import { canonicalJson } from './canonical-json.js';
import { MAX_JSON_BYTES, parseStrictJson } from './strict-json.js';

const parse = (text: string | Buffer) => parseStrictJson(text, 'it', 'BAD_REQUEST');

describe('strict JSON', () => {
  it('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
        const text = JSON.stringify(value, null, 2);
        fc.pre(!text.includes('__proto__') && !/\p{Surrogate}/u.test(JSON.stringify(value)));
        fc.pre(!(text.match(/-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/gi) ?? []).some((n) => Math.abs(Number(n)) > 2 ** 53 - 1));
        expect(parse(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it.each([
    ['a duplicate member', '{"a":1,"a":1}'],
    ['a duplicate member, escaped', '{"a":1,"\\u0061":1}'],
    ['a duplicate member inside', '[{"x":{"a":1,"a":2}}]'],
    ['__proto__', '{"__proto__":1}'],
    ['__proto__, escaped', '{"\\u005f_proto__":1}'],
    ['a lone surrogate', '"\\ud800"'],
    ['an inexact number', '9007199254740993'],
    ['an endless number', '1e400'],
    ['NaN', 'NaN'],
    ['a leading zero', '01'],
    ['a plus', '+1'],
    ['a bare dot', '1.'],
    ['single quotes', "'a'"],
    ['a comment', '/**/1'],
    ['a trailing comma', '[1,]'],
    ['a trailing comma in an object', '{"a":1,}'],
    ['a control character', '"\n"'],
    ['a wrong escape', '"\\x"'],
    ['an open string', '"abc'],
    ['an open array', '[1'],
    ['an open object', '{"a":1'],
    ['a missing colon', '{"a" 1}'],
    ['two values', '1 1'],
    ['nothing', ''],
    ['blanks of other kinds', '\u00a01'],
    ['a byte order mark', '\ufeff1'],
    ['too much depth', `${'['.repeat(18)}${']'.repeat(18)}`],
    ['too much text', `"${'a'.repeat(MAX_JSON_BYTES)}"`],
  ])('refuses %s', (_, text) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });

  it('refuses bytes that are not UTF-8', () => {
    expect(() => parse(Buffer.from([0x22, 0xc3, 0x22]))).toThrow('not UTF-8');
  });

  it('allows 16 levels', () => {
    expect(JSON.stringify(parse(`${'['.repeat(17)}${']'.repeat(17)}`))).toHaveLength(34);
  });

  it('never quotes the text in a refusal', () => {
    expect(() => parse('{"passphrase":"tiger" "x"')).toThrow(/^(?!.*tiger)/);
  });

  it('answers soon, however long the text', () => {
    expect(parse(`"${'a\\n'.repeat(300_000)}"`)).toHaveLength(600_000);
    expect(() => parse(`"${'a\\n'.repeat(300_000)}`)).toThrow('a string was expected');
  });
});

describe('canonical JSON', () => {
  it('sorts members by UTF-16 code units and escapes as ECMAScript (RFC 8785 section 3.2.3)', () => {
    const value = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\ud83d\ude00': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      '\u00f6': 'Latin Small Letter O With Diaeresis',
    };
    const order = [...canonicalJson(value).matchAll(/:"(\w+)/g)].map(([, word]) => word);
    expect(order).toEqual(['Carriage', 'One', 'Control', 'Latin', 'Euro', 'Emoji', 'Hebrew']);
  });

  it('does not depend on the order or the blanks of the text', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })), (value) => {
        const turned = Object.fromEntries(Object.entries(value).reverse());
        expect(canonicalJson(turned)).toBe(canonicalJson(value));
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});

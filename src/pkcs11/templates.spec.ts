import { generateKeyPairSync } from 'node:crypto';
import pkcs11js, { type Template } from 'pkcs11js';
import * as signing from './signing-templates.js';
import * as templates from './templates.js';

const id = Buffer.alloc(16, 1);
const receipt = templates.receiptKeyPair(id);
const importer = templates.importerPair(id);
const newPair = templates.importPairToGenerate(2048);

const SECRETS = {
  'unit-mac': templates.unitMac(id),
  'mk-wrap': templates.mkWrap(id),
  'mk-mac': templates.mkMac(id),
  'root key to generate': templates.rootKeyToGenerate(),
  'root key to use': templates.rootKeyToUse(),
  'check key': templates.checkKey(),
  'imported key': templates.importedKey(),
  'key material': templates.materialToWrap(Buffer.alloc(32, 1)),
  'transport key': signing.transportKey(Buffer.alloc(32, 1)),
  'probe kek': templates.probeKek(),
  'probe extractable': templates.probeExtractable(),
};
const PRIVATES = {
  'receipt key': receipt.privateKey,
  importer: importer.privateKey,
  'import pair to generate': newPair.privateKey,
  'import pair for OAEP': templates.importPairToUse('unwrap'),
  'import pair for raw RSA': templates.importPairToUse('decrypt'),
  'RSA key to wrap': signing.privateKeyToWrap('RSA-2048'),
  'EC key to wrap': signing.privateKeyToWrap('EC-P256'),
  'RSA key to sign': signing.privateKeyToSign('RSA-4096'),
  'EC key to sign': signing.privateKeyToSign('EC-P384'),
};
const PUBLICS = {
  'receipt public key': receipt.publicKey,
  'importer public key': importer.publicKey,
  'import pair public key': newPair.publicKey,
  'RSA key to verify': signing.publicKeyToVerify(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey),
  'EC key to verify': signing.publicKeyToVerify(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey),
};
const KEYS = { ...SECRETS, ...PRIVATES, ...PUBLICS };
const ALL: Record<string, Template> = { ...KEYS, data: templates.data('record', id, Buffer.from('x')) };

const value = (template: Template, type: number) => {
  const found = template.filter((attribute) => attribute.type === type);
  expect(found.length).toBeLessThanOrEqual(1);
  return found[0]?.value;
};

describe.each(Object.entries(ALL))('the template of %s', (_name, template) => {
  it('states each attribute once, and CKA_MODIFIABLE last', () => {
    const types = template.map(({ type }) => type);
    expect(new Set(types).size).toBe(types.length);
    expect(types).not.toContain(undefined);
    expect(types.at(-1)).toBe(pkcs11js.CKA_MODIFIABLE);
  });
  it('makes a private object and says where it lives', () => {
    expect(value(template, pkcs11js.CKA_PRIVATE)).toBe(true);
    expect(typeof value(template, pkcs11js.CKA_TOKEN)).toBe('boolean');
    expect(value(template, pkcs11js.CKA_COPYABLE)).toBeUndefined();
  });
});

describe.each(Object.entries({ ...SECRETS, ...PRIVATES }))('the key template of %s', (_name, template) => {
  it('is sensitive', () => expect(value(template, pkcs11js.CKA_SENSITIVE)).toBe(true));
});

const USES = {
  encrypt: pkcs11js.CKA_ENCRYPT,
  decrypt: pkcs11js.CKA_DECRYPT,
  sign: pkcs11js.CKA_SIGN,
  verify: pkcs11js.CKA_VERIFY,
  wrap: pkcs11js.CKA_WRAP,
  unwrap: pkcs11js.CKA_UNWRAP,
  derive: pkcs11js.CKA_DERIVE,
};
const uses = (template: Template) =>
  Object.entries(USES).flatMap(([use, type]) => (value(template, type) === true ? [use] : []));

it.each([
  ['unit-mac', ['sign', 'verify']],
  ['mk-wrap', ['wrap', 'unwrap']],
  ['mk-mac', ['sign', 'verify']],
  ['root key to generate', []],
  ['root key to use', ['encrypt', 'decrypt']],
  ['check key', ['sign', 'verify']],
  ['receipt key', ['sign']],
  ['receipt public key', ['verify']],
  ['imported key', ['decrypt']],
  ['key material', []],
  ['importer', ['unwrap']],
  ['import pair to generate', []],
  ['import pair for OAEP', ['unwrap']],
  ['import pair for raw RSA', ['decrypt']],
  ['import pair public key', []],
  ['importer public key', []],
  ['transport key', ['unwrap']],
  ['RSA key to wrap', []],
  ['EC key to wrap', []],
  ['RSA key to sign', ['sign']],
  ['EC key to sign', ['sign']],
  ['RSA key to verify', ['verify']],
  ['EC key to verify', ['verify']],
] as const)('%s can only %p', (name, allowed) => {
  expect(uses(KEYS[name])).toEqual(allowed);
});

it('states every usage of a secret key, on or off', () => {
  for (const template of Object.values(SECRETS)) {
    for (const type of Object.values(USES)) expect(typeof value(template, type)).toBe('boolean');
  }
});

it('never gives one key both wrap or unwrap and decrypt or encrypt', () => {
  for (const template of Object.values(KEYS)) {
    const found = uses(template);
    const handlesKeys = found.includes('wrap') || found.includes('unwrap');
    expect(handlesKeys && (found.includes('encrypt') || found.includes('decrypt'))).toBe(false);
  }
});

it('makes nothing extractable but what is on its way into its blob, and a known key of the probe', () => {
  const extractable = Object.entries({ ...SECRETS, ...PRIVATES }).filter(
    ([, template]) => value(template, pkcs11js.CKA_EXTRACTABLE) !== false,
  );
  expect(extractable.map(([name]) => name)).toEqual([
    'root key to generate',
    'imported key',
    'key material',
    'probe extractable',
    'import pair to generate',
    'RSA key to wrap',
    'EC key to wrap',
  ]);
});

it('keeps on the token only what outlives a session', () => {
  const onToken = Object.entries(ALL).filter(([, template]) => value(template, pkcs11js.CKA_TOKEN) === true);
  const expected = ['unit-mac', 'mk-wrap', 'mk-mac', 'receipt key', 'receipt public key', 'data'];
  expect(onToken.map(([name]) => name)).toEqual(expected);
});

import { createPublicKey, randomBytes } from 'node:crypto';
import { Session as GrapheneSession, Module, Slot } from 'graphene-pk11';
import pkcs11js from 'pkcs11js';
import { encryptOaep } from '../../src/pkcs11/rsa-oaep.js';
import { UnitToken } from '../../src/pkcs11/unit-token.js';
import { certificateDer } from './certificate.js';
import { type Device, devices, type TestToken } from './devices.js';

type Row = Record<string, string | number | boolean | Buffer>;

const OFF = { encrypt: false, decrypt: false, sign: false, verify: false, wrap: false, unwrap: false, derive: false };
const HIDDEN = { token: true, private: true, sensitive: true, extractable: false };

/** Every key on a unit that is in use, attribute for attribute. */
function expectedKeys(ids: Record<'mac' | 'receipt' | 'wrap' | 'mkMac', Buffer>): Record<string, Row> {
  const secret = { ...HIDDEN, ...OFF, class: pkcs11js.CKO_SECRET_KEY, modifiable: true };
  const generic = { ...secret, keyType: pkcs11js.CKK_GENERIC_SECRET, sign: true, verify: true };
  const pair = {
    keyType: pkcs11js.CKK_EC,
    token: true,
    private: true,
    modifiable: false,
    label: 'receipt-key',
    id: ids.receipt,
  };
  return {
    'unit-mac': {
      ...generic,
      label: 'unit-mac',
      id: ids.mac,
      local: true,
      alwaysSensitive: true,
      neverExtractable: true,
    },
    'mk-wrap': {
      ...secret,
      keyType: pkcs11js.CKK_AES,
      wrap: true,
      unwrap: true,
      label: 'mk-wrap',
      id: ids.wrap,
      local: false,
    },
    'mk-mac': { ...generic, label: 'mk-mac', id: ids.mkMac, local: false },
    'receipt private': {
      ...pair,
      ...HIDDEN,
      class: pkcs11js.CKO_PRIVATE_KEY,
      decrypt: false,
      sign: true,
      signRecover: false,
      unwrap: false,
      derive: false,
      local: true,
      alwaysSensitive: true,
      neverExtractable: true,
    },
    'receipt public': {
      ...pair,
      class: pkcs11js.CKO_PUBLIC_KEY,
      encrypt: false,
      verify: true,
      verifyRecover: false,
      wrap: false,
      derive: false,
    },
  };
}

/** What a module says otherwise, whatever is asked: its limits as data. */
const SAYS_OTHERWISE: Record<Device['name'], { alwaysPublic: readonly number[]; forgets: readonly string[] }> = {
  SoftHSM2: { alwaysPublic: [], forgets: [] },
  'NSS softoken': { alwaysPublic: [pkcs11js.CKO_CERTIFICATE, pkcs11js.CKO_PUBLIC_KEY], forgets: ['local'] },
};

describe.each(devices)('the objects of a unit on $name, read back by graphene', (device) => {
  const { alwaysPublic, forgets } = SAYS_OTHERWISE[device.name] ?? { alwaysPublic: [], forgets: [] };
  let made: TestToken;
  let unit: UnitToken;
  const ids = { mac: randomBytes(16), receipt: randomBytes(16), wrap: randomBytes(16), mkMac: randomBytes(16) };
  const others = { certificate: randomBytes(16), data: randomBytes(16) };

  beforeAll(async () => {
    made = device.make();
    unit = UnitToken.open(made.wanted);
    unit.generateUnitMac(ids.mac);
    unit.generateReceiptKey(ids.receipt);
    const importer = await unit.generateImporter();
    const publicKey = createPublicKey({ key: importer.publicKey, format: 'der', type: 'spki' });
    const blob = () => encryptOaep(publicKey, importer.oaepHash, randomBytes(32));
    unit.importMasterKey(importer, 'mk-wrap', ids.wrap, blob());
    unit.importMasterKey(importer, 'mk-mac', ids.mkMac, blob());
    importer.destroy();
    unit.createCertificate('ADMIN', others.certificate, certificateDer());
    if (device.expected.dataObjects) unit.createData('unit-record', others.data, Buffer.from('x'));
    // use everything, so that session copies and caches cannot hide behind a fresh token
    unit.canary(ids.wrap);
    unit.hmac(ids.mkMac, Buffer.from('x'));
  });
  afterAll(() => {
    unit.close();
    made.remove();
  });

  /** Every object, token or session, as a row of the attributes asked for. */
  const read = (names: readonly string[]) =>
    unit.token.pool.use('witness', ({ lib, handle }) => {
      const view = new GrapheneSession(handle, new Slot(unit.token.slot, new Module(lib), lib), lib);
      const found = view.find();
      const attribute = (i: number, name: string) => {
        try {
          return found.items(i).getAttribute(name) as unknown;
        } catch (cause) {
          return String(cause);
        }
      };
      return Array.from({ length: found.length }, (_, i) => new Map(names.map((name) => [name, attribute(i, name)])));
    });

  it.each(Object.keys(expectedKeys(ids)))('%s has exactly the attributes of its role', (name) => {
    const expected = expectedKeys(ids)[name] ?? {};
    const isPublic = alwaysPublic.includes(expected.class as number);
    const left = [...forgets, ...(isPublic ? ['private'] : [])];
    const names = Object.keys(expected).filter((attribute) => !left.includes(attribute));
    const rows = read(names).filter(
      (row) =>
        row.get('class') === expected.class &&
        row.get('token') === true &&
        expected.id instanceof Buffer &&
        expected.id.equals(row.get('id') as Buffer),
    );
    expect(rows).toHaveLength(1);
    for (const attribute of names)
      expect([attribute, rows[0]?.get(attribute)]).toEqual([attribute, expected[attribute]]);
  });

  it('nothing on the unit can be seen without a login, but for what the module knows only as public', () => {
    const publics = read(['class', 'private']).filter((row) => row.get('private') !== true);
    expect(publics.map((row) => row.get('class')).sort()).toEqual(alwaysPublic);
  });

  it('no key, token or session, both handles keys and decrypts', () => {
    const rows = read(['class', 'wrap', 'unwrap', 'encrypt', 'decrypt']).filter(
      (row) => row.get('class') === pkcs11js.CKO_SECRET_KEY,
    );
    expect(rows.length).toBeGreaterThan(3);
    const mixed = rows.filter(
      (row) =>
        (row.get('wrap') === true || row.get('unwrap') === true) &&
        (row.get('encrypt') === true || row.get('decrypt') === true),
    );
    expect(mixed).toEqual([]);
  });

  it('no secret or private key, token or session, is extractable or gives its value', () => {
    const hidden = [pkcs11js.CKO_SECRET_KEY, pkcs11js.CKO_PRIVATE_KEY];
    const rows = read(['class', 'sensitive', 'extractable', 'value']).filter((row) =>
      hidden.includes(row.get('class') as number),
    );
    for (const row of rows) {
      expect([row.get('sensitive'), row.get('extractable')]).toEqual([true, false]);
      expect(row.get('value')).toMatch(/CKR_ATTRIBUTE_SENSITIVE/);
    }
  });

  it('the keys in daily use serve from session copies with the same attributes', () => {
    if (!device.expected.copyToSession) return;
    const rows = read(['token', 'label', 'wrap', 'unwrap', 'decrypt', 'sign']).filter(
      (row) => row.get('token') === false,
    );
    const copy = rows.filter((row) => row.get('label') === 'mk-wrap');
    expect(copy).toHaveLength(1);
    expect(['wrap', 'unwrap', 'decrypt', 'sign'].map((use) => copy[0]?.get(use))).toEqual([true, true, false, false]);
  });
});

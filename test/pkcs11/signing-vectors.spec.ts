import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ecdsaToDer } from '../../src/pkcs11/der.js';
import { UnitToken } from '../../src/pkcs11/unit-token.js';
import { devices, type TestToken } from './devices.js';

interface Vector {
  readonly tcId: number;
  readonly comment: string;
  readonly result: 'valid' | 'invalid';
  readonly msg: string;
  readonly sig: string;
}
interface Group {
  readonly publicKeyDer: string;
  readonly tests: readonly Vector[];
}

const directory = process.env['KEYSTEAD_VECTORS_DIR'];
const wycheproof = directory && existsSync(directory) ? describe : describe.skip;
const hex = (text: string) => Buffer.from(text, 'hex');

const FILES = [
  { file: 'rsa_pss_2048_sha256_mgf1_32', kind: 'RSA-2048', algorithm: 'RSASSA_PSS_SHA_256', least: 108 },
  { file: 'ecdsa_secp256r1_sha256_p1363', kind: 'EC-P256', algorithm: 'ECDSA_SHA_256', least: 262 },
] as const;

wycheproof.each(devices)('Wycheproof on $name', (device) => {
  let made: TestToken;
  let unit: UnitToken;
  beforeAll(() => {
    made = device.make();
    unit = UnitToken.open(made.wanted);
  });
  afterAll(() => {
    unit.close();
    made.remove();
  });

  it.each(FILES)('$file: each signature is judged as said', ({ file, kind, algorithm, least }) => {
    const path = join(directory ?? '', 'wycheproof', `${file}_test.json`);
    const groups = JSON.parse(readFileSync(path, 'utf8')).testGroups as Group[];
    const vectors = groups.flatMap((group) => group.tests.map((vector) => ({ group, vector })));
    expect(vectors.length).toBeGreaterThanOrEqual(least);
    const failures = vectors.flatMap(({ group, vector }) => {
      const key = { algorithm: kind, publicKey: hex(group.publicKeyDer) };
      const digest = createHash('sha256').update(hex(vector.msg)).digest();
      // r ‖ s of the vectors in 32 bytes each, or it has no DER form of ours
      const raw = hex(vector.sig);
      const signature = kind === 'EC-P256' ? (raw.length === 64 ? ecdsaToDer(raw) : raw) : raw;
      const valid = unit.external.verify(Buffer.alloc(16), key, algorithm, digest, signature);
      return valid === (vector.result === 'valid') ? [] : [`tcId ${vector.tcId}: ${vector.comment}`];
    });
    expect(failures).toEqual([]);
  });
});

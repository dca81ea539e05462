import { createCipheriv, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { Secret } from '../shared/secret.js';
import { integer, nothing, objectId, octets, sequence } from './der.js';
import { toPem } from './pem.js';

/**
 * Private keys encrypted by hand, after RFC 8018 section 6.2 (PBES2): PBKDF2 with HMAC-SHA-256 and AES-256-CBC. Node
 * encrypts PKCS#8 with 2 048 iterations, which cannot be set, and OpenSSL reads no scrypt above N = 2^14; this form
 * with 600 000 iterations is read by both.
 */
export const ITERATIONS = 600_000;
const SALT_BYTES = 16;
const KEY_BYTES = 32;
const IV_BYTES = 16;

const OID = {
  pbes2: '1.2.840.113549.1.5.13',
  pbkdf2: '1.2.840.113549.1.5.12',
  hmacWithSha256: '1.2.840.113549.2.9',
  aes256Cbc: '2.16.840.1.101.3.4.1.42',
} as const;

const derive = promisify(pbkdf2);

/** A private key (PKCS#8 DER) as a PEM ENCRYPTED PRIVATE KEY (RFC 5958 section 3) that the passphrase opens. */
export async function encryptPkcs8(pkcs8: Secret, passphrase: Secret): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const iv = randomBytes(IV_BYTES);
  using key = new Secret(await derive(passphrase.bytes, salt, ITERATIONS, KEY_BYTES, 'sha256'));
  const cipher = createCipheriv('aes-256-cbc', key.bytes, iv);
  const encrypted = Buffer.concat([cipher.update(pkcs8.bytes), cipher.final()]);
  const kdf = sequence(
    objectId(OID.pbkdf2),
    sequence(octets(salt), integer(ITERATIONS), sequence(objectId(OID.hmacWithSha256), nothing())),
  );
  const scheme = sequence(objectId(OID.aes256Cbc), octets(iv));
  const algorithm = sequence(objectId(OID.pbes2), sequence(kdf, scheme));
  return toPem('ENCRYPTED PRIVATE KEY', sequence(algorithm, octets(encrypted)));
}

import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { sha256 } from '../shared/bytes.js';
import { KeysteadError, needs } from '../shared/errors.js';
import { type PemBlock, pemBlocks } from './pem.js';

/** The public key of an administrator. An admin *is* its SPKI: `kid` names it everywhere. */
export interface AdminKey {
  readonly key: KeyObject;
  /** SubjectPublicKeyInfo, DER (RFC 5280 section 4.1.2.7). */
  readonly spki: Buffer;
  /** SHA-256 of the SPKI, 64 hex digits. */
  readonly kid: string;
  /** DER of the certificate the key came in; null for a bare key. */
  readonly certificate: Buffer | null;
  /** When that certificate says it ends: worth a warning, never a lock-out. */
  readonly notAfter: Date | null;
}

/** The SubjectPublicKeyInfo, DER, of a public key or of the public half of a private one. */
export function spkiOf(key: KeyObject): Buffer {
  const half = key.type === 'private' ? createPublicKey(key) : key;
  return half.export({ type: 'spki', format: 'der' });
}

/** SHA-256 of the SPKI, 64 lower-case hex digits: the `kid` of signatures and what people compare. */
export function fingerprintOf(key: KeyObject): string {
  return sha256(spkiOf(key)).toString('hex');
}

/**
 * The administrator's key in a PEM text of one block: CERTIFICATE (self-signed, the signature is checked),
 * RSA PUBLIC KEY (PKCS#1, RFC 8017 A.1.1) or PUBLIC KEY (SPKI). Throws BAD_REQUEST when it is none of these
 * or not RSA of at least 2048 bits with exponent 65537.
 */
export function readAdminKey(pem: string): AdminKey {
  const blocks = pemBlocks(pem);
  const block = blocks[0];
  needs(
    block && blocks.length === 1,
    'BAD_REQUEST',
    'the credential must be one PEM block: a self-signed CERTIFICATE, a PUBLIC KEY or an RSA PUBLIC KEY',
  );
  const { key, certificate } = keyIn(block);
  assertUsableRsa(key, 'BAD_REQUEST', 'the credential');
  const spki = spkiOf(key);
  return {
    key,
    spki,
    kid: sha256(spki).toString('hex'),
    certificate: certificate?.raw ?? null,
    notAfter: certificate ? new Date(certificate.validTo) : null,
  };
}

/** Throws `code` naming `what` unless the key, public or private, is RSA of at least 2048 bits with exponent 65537. */
export function assertUsableRsa(key: KeyObject, code: 'BAD_REQUEST' | 'FILE_INVALID', what: string): void {
  const { modulusLength = 0, publicExponent } = key.asymmetricKeyDetails ?? {};
  needs(
    key.asymmetricKeyType === 'rsa',
    code,
    `${what} is not an RSA key; make one with 'kp crypto-unit sig-key generate'`,
  );
  needs(modulusLength >= 2048, code, `${what} is RSA-${modulusLength}; administrators need RSA-2048 or longer`);
  needs(publicExponent === 65_537n, code, `${what} has the public exponent ${publicExponent}; only 65537 is accepted`);
}

function keyIn(block: PemBlock): { key: KeyObject; certificate: X509Certificate | null } {
  switch (block.label) {
    case 'CERTIFICATE': {
      const certificate = read(() => new X509Certificate(block.text), block);
      const key = read(() => certificate.publicKey, block);
      needs(
        read(() => certificate.verify(key), block),
        'BAD_REQUEST',
        'the certificate is damaged or not self-signed; give a self-signed one, or the PUBLIC KEY alone',
      );
      return { key, certificate };
    }
    case 'PUBLIC KEY':
    case 'RSA PUBLIC KEY':
      return { key: read(() => createPublicKey(block.text), block), certificate: null };
    default:
      throw new KeysteadError(
        'BAD_REQUEST',
        `the credential is a ${block.label}; it must be a self-signed CERTIFICATE, a PUBLIC KEY or an RSA PUBLIC KEY`,
      );
  }
}

function read<T>(parse: () => T, block: PemBlock): T {
  try {
    return parse();
  } catch (cause) {
    throw new KeysteadError('BAD_REQUEST', `the ${block.label} block of the credential is damaged`, { cause });
  }
}

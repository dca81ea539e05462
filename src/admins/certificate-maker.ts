import 'reflect-metadata'; // @peculiar/x509 asks for it when it loads
import { generateKeyPair, type KeyObject, randomBytes, webcrypto } from 'node:crypto';
import { promisify } from 'node:util';
import { KeyUsageFlags, KeyUsagesExtension, Name, X509CertificateGenerator } from '@peculiar/x509';
import { needs } from '../shared/errors.js';
import { Secret } from '../shared/secret.js';
import { UserName } from './command-args.js';
import { assertPassphrase, SIG_KEY_PASSPHRASE } from './passphrase.js';
import { encryptPkcs8 } from './pbes2.js';
import { toPem } from './pem.js';
import { spkiOf } from './public-key.js';

const VALID_YEARS = 10;
const SERIAL_BYTES = 16;
const RSA = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } as const;

const makeKeyPair = promisify(generateKeyPair);

/**
 * The text of a new signature-key file: an RSA-2048 key with a self-signed certificate (X.509 v3, RFC 5280; CN = name,
 * digitalSignature, 10 years). A passphrase of 4 to 255 characters encrypts the private key; null or an empty one
 * leaves it in clear. Throws USAGE on a name or passphrase out of bounds.
 */
export async function makeSigKey(name: string, passphrase: Secret | null): Promise<string> {
  const named = UserName.safeParse(name).success;
  needs(named, 'USAGE', 'the name of an administrator has 1 to 255 characters and no control characters');
  const encrypted = passphrase !== null && passphrase.bytes.length > 0;
  if (encrypted) assertPassphrase(passphrase, SIG_KEY_PASSPHRASE, 'the signature key');
  const { privateKey, publicKey } = await makeKeyPair('rsa', { modulusLength: 2048, publicExponent: 65_537 });
  using pkcs8 = new Secret(privateKey.export({ type: 'pkcs8', format: 'der' }));
  const certificate = await selfSigned(name, pkcs8, publicKey);
  const key = encrypted ? await encryptPkcs8(pkcs8, passphrase) : toPem('PRIVATE KEY', pkcs8.bytes);
  return certificate + key;
}

/** A self-signed certificate, PEM, for the key (RSA) in `pkcs8`, whose public half is that of `publicKey`. */
export async function selfSigned(name: string, pkcs8: Secret, publicKey: KeyObject): Promise<string> {
  const { subtle } = webcrypto;
  const notBefore = new Date();
  const notAfter = new Date(notBefore);
  notAfter.setUTCFullYear(notBefore.getUTCFullYear() + VALID_YEARS);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: positiveSerial().toString('hex'),
    name: new Name([{ CN: [{ utf8String: name }] }]), // a plain string would be read for quotes and '#'
    notBefore,
    notAfter,
    keys: {
      privateKey: await subtle.importKey('pkcs8', pkcs8.bytes, RSA, false, ['sign']),
      publicKey: await subtle.importKey('spki', spkiOf(publicKey), RSA, true, ['verify']),
    },
    signingAlgorithm: RSA,
    extensions: [new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true)],
  });
  return toPem('CERTIFICATE', Buffer.from(certificate.rawData));
}

/** 127 random bits: RFC 5280 section 4.1.2.2 wants a positive number of at most 20 bytes. */
function positiveSerial(): Buffer {
  const serial = randomBytes(SERIAL_BYTES);
  serial[0] = ((serial[0] as number) & 0x7f) | 0x40;
  return serial;
}

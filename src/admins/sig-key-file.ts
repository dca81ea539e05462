import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { KeysteadError, needs } from '../shared/errors.js';
import type { Secret } from '../shared/secret.js';
import { isWholeDer } from './der.js';
import { derOf, type PemBlock, pemBlocks } from './pem.js';
import { assertUsableRsa, readAdminKey } from './public-key.js';

/**
 * A signature-key file is PEM text: the self-signed certificate of the administrator, then the private key as PKCS#8,
 * encrypted (RFC 8018 PBES2, see pbes2.ts) when it was made with a passphrase. Only the second block needs the
 * passphrase, so that claiming a unit does not. Any PEM RSA key of the user's own is read too: PKCS#1 or PKCS#8,
 * encrypted or not, with or without a certificate.
 */
const PRIVATE = ['ENCRYPTED PRIVATE KEY', 'PRIVATE KEY', 'RSA PRIVATE KEY'];

/** Whether opening the private key takes a passphrase. */
export function isEncrypted(text: string): boolean {
  return pemBlocks(text).some(
    ({ label, text: block }) => label === 'ENCRYPTED PRIVATE KEY' || /^Proc-Type: *4, *ENCRYPTED/m.test(block),
  );
}

/**
 * The private key in the text of `file`. Throws PASSPHRASE_WRONG when the passphrase is missing or does not open it,
 * FILE_INVALID when there is no usable RSA key or the certificate beside it is of another key.
 */
export function openSigKey(text: string, passphrase: Secret | null, file: string): KeyObject {
  const blocks = pemBlocks(text);
  const block = privateBlock(blocks, file);
  needs(block, 'FILE_INVALID', `${file} holds no private key; give the file made by 'kp crypto-unit sig-key generate'`);
  const key = openBlock(block, passphrase, file);
  assertUsableRsa(key, 'FILE_INVALID', `the key in ${file}`);
  const certificate = blocks.find(({ label }) => label === 'CERTIFICATE');
  if (certificate) {
    const sameKey = readAdminKey(certificate.text).key.equals(createPublicKey(key));
    needs(sameKey, 'FILE_INVALID', `the certificate in ${file} is of another key than the private key beside it`);
  }
  return key;
}

/**
 * What a unit gets of the administrator in `file`, PEM: the certificate when the file has one, else RSA PUBLIC KEY
 * (PKCS#1) from the public or private key in it. `passphrase` is asked only for an encrypted key without certificate.
 * Throws as openSigKey does.
 */
export async function publicPartOf(
  text: string,
  file: string,
  passphrase: () => Promise<Secret | null>,
): Promise<string> {
  const blocks = pemBlocks(text);
  const certificate = blocks.find(({ label }) => label === 'CERTIFICATE');
  if (certificate) return certificate.text;
  const bare = blocks.find(({ label }) => label === 'PUBLIC KEY' || label === 'RSA PUBLIC KEY');
  if (bare && !privateBlock(blocks, file)) return pkcs1(readAdminKey(bare.text).key);
  const secret = isEncrypted(text) ? await passphrase() : null; // the caller wipes it
  return pkcs1(createPublicKey(openSigKey(text, secret, file)));
}

function pkcs1(key: KeyObject): string {
  return key.export({ type: 'pkcs1', format: 'pem' }).toString();
}

function privateBlock(blocks: readonly PemBlock[], file: string): PemBlock | undefined {
  const found = blocks.filter(({ label }) => PRIVATE.includes(label));
  needs(found.length <= 1, 'FILE_INVALID', `${file} holds ${found.length} private keys; it must hold one`);
  return found[0];
}

function openBlock(block: PemBlock, passphrase: Secret | null, file: string): KeyObject {
  const encrypted = isEncrypted(block.text);
  if (block.label === 'ENCRYPTED PRIVATE KEY') {
    const whole = isWholeDer(derOf(block, 'FILE_INVALID', file));
    needs(whole, 'FILE_INVALID', `${file} is damaged: its private key is cut short or has bytes to spare`);
  }
  const given = passphrase !== null && passphrase.bytes.length > 0;
  needs(!encrypted || given, 'PASSPHRASE_WRONG', `${file} is encrypted; give its passphrase as FILE#PASSPHRASE`);
  try {
    return createPrivateKey({ key: block.text, ...(encrypted && given ? { passphrase: passphrase.bytes } : {}) });
  } catch (cause) {
    if (encrypted) throw new KeysteadError('PASSPHRASE_WRONG', `the passphrase does not open ${file}`, { cause });
    throw new KeysteadError('FILE_INVALID', `the private key in ${file} is damaged`, { cause });
  }
}

import { constants, X509Certificate } from 'node:crypto';
import { readFileSync, realpathSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { Config } from '../config/config.js';
import { readPrivateFile } from '../shared/durable-file.js';
import { KeysteadError, messageOf, needs } from '../shared/errors.js';

export type TlsFiles = NonNullable<Config['tls']>;

/** A year, as RFC 6797 section 6.1 writes it. */
export const STRICT_TRANSPORT = 'max-age=31536000';

/** TLS 1.2 and newer; an ephemeral key exchange and an AEAD cipher always, so nothing recorded opens later. */
const PROTOCOL = {
  minVersion: 'TLSv1.2',
  ciphers: [
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'TLS_AES_128_GCM_SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
  ].join(':'),
  ecdhCurve: 'X25519:P-256:P-384',
  honorCipherOrder: true,
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
} as const satisfies SecureContextOptions;

export interface TlsMaterial {
  /** For `https.createServer` and `setSecureContext` alike. */
  readonly options: SecureContextOptions;
  /** When the server's certificate ends. */
  readonly notAfter: Date;
}

/**
 * Certificate chain, key and, where there is one, the CA of administrators, checked against each other. Throws
 * CONFIG_INVALID with the variable whose file is to be put right.
 */
export function readTls({ certFile, keyFile, clientCaFile }: TlsFiles): TlsMaterial {
  const cert = read(certFile, 'KEYSTEAD_TLS_CERT_FILE');
  const key = readKey(keyFile);
  const ca = clientCaFile === undefined ? undefined : read(clientCaFile, 'KEYSTEAD_ADMIN_CLIENT_CA_FILE');
  const options = { ...PROTOCOL, cert, key, ...(ca && { ca }) };
  try {
    createSecureContext({ cert, key });
  } catch (cause) {
    const why = `KEYSTEAD_TLS_CERT_FILE and KEYSTEAD_TLS_KEY_FILE do not go together: ${messageOf(cause)}`;
    throw new KeysteadError('CONFIG_INVALID', why, { cause });
  }
  const notAfter = new Date(new X509Certificate(cert).validTo);
  needs(
    notAfter > new Date(),
    'CONFIG_INVALID',
    `the certificate of KEYSTEAD_TLS_CERT_FILE ended on ${notAfter.toISOString()}; put a new one there`,
  );
  return { options, notAfter };
}

function read(file: string, variable: string): Buffer {
  try {
    const content = readFileSync(file);
    new X509Certificate(content);
    return content;
  } catch (cause) {
    throw new KeysteadError('CONFIG_INVALID', `${variable} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

/** Programs that renew certificates put a link where the key is expected. */
function readKey(file: string): Buffer {
  try {
    const key = readPrivateFile(realpathSync(file));
    if (key !== undefined) return key;
  } catch (cause) {
    throw new KeysteadError('CONFIG_INVALID', `KEYSTEAD_TLS_KEY_FILE cannot be read: ${messageOf(cause)}`, { cause });
  }
  const why = `KEYSTEAD_TLS_KEY_FILE: ${file} must be a file that only its owner can read (mode 0400 or 0600)`;
  throw new KeysteadError('CONFIG_INVALID', why);
}

import { join } from 'node:path';
import { isThere } from '../shared/durable-file.js';

/** The systemd credential (`LoadCredential=`, `LoadCredentialEncrypted=`) that each setting takes when it is unset. */
export const CREDENTIALS = {
  KEYSTEAD_SEAL_KEY_FILE: 'seal-key',
  KEYSTEAD_DATABASE_URL_FILE: 'database-url',
  KEYSTEAD_TLS_CERT_FILE: 'tls-cert',
  KEYSTEAD_TLS_KEY_FILE: 'tls-key',
  KEYSTEAD_ADMIN_CLIENT_CA_FILE: 'admin-client-ca',
} as const;

/** The environment, with the files that systemd put into its credentials directory. */
export function withCredentials(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const directory = env['CREDENTIALS_DIRECTORY'];
  if (directory === undefined) return env;
  const found = Object.entries(CREDENTIALS)
    .map(([name, credential]) => [name, join(directory, credential)] as const)
    .filter(([, path]) => isThere(path));
  const { KEYSTEAD_DATABASE_URL_FILE: urlFile, ...others } = Object.fromEntries(found);
  const byUrl = urlFile === undefined || env['KEYSTEAD_DATABASE_URL'] ? {} : { KEYSTEAD_DATABASE_URL_FILE: urlFile };
  return { ...others, ...byUrl, ...env };
}

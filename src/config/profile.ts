import { readPrivateFile } from '../shared/durable-file.js';
import { needs } from '../shared/errors.js';
import { openingOption } from '../shared/node-options.js';
import type { Environment } from './config.js';

export const DATABASE_URL = /^postgres(ql)?:\/\//;

type Told = Pick<
  Environment,
  | 'KEYSTEAD_PROFILE'
  | 'KEYSTEAD_AGENTS_FILE'
  | 'KEYSTEAD_UNITS_FILE'
  | 'KEYSTEAD_TLS_CERT_FILE'
  | 'KEYSTEAD_ALLOW_PLAINTEXT'
  | 'KEYSTEAD_BARE_CLAIM'
  | 'KEYSTEAD_DATABASE_URL'
  | 'KEYSTEAD_DATABASE_URL_FILE'
>;

/**
 * What the profile demands of the settings. Whether the agents really run under other users is looked at when the server
 * starts and whenever it connects to one (src/instances/agent-directory.ts). Throws CONFIG_INVALID.
 */
export function assertProfile(e: Told, env: NodeJS.ProcessEnv): void {
  const alone = e.KEYSTEAD_AGENTS_FILE === undefined || e.KEYSTEAD_UNITS_FILE === undefined;
  needs(
    alone,
    'CONFIG_INVALID',
    'KEYSTEAD_AGENTS_FILE and KEYSTEAD_UNITS_FILE exclude each other: units come from one of them',
  );
  if (e.KEYSTEAD_PROFILE !== 'production') return;
  const refuse = (condition: boolean, message: string) => needs(!condition, 'CONFIG_INVALID', message);
  refuse(
    e.KEYSTEAD_AGENTS_FILE === undefined,
    'KEYSTEAD_PROFILE=production refuses agents that run under the uid of the server (isolation: process-only): run each by itself with keystead agent, and name them in KEYSTEAD_AGENTS_FILE',
  );
  refuse(
    e.KEYSTEAD_TLS_CERT_FILE === undefined && e.KEYSTEAD_ALLOW_PLAINTEXT !== '1',
    'KEYSTEAD_PROFILE=production needs KEYSTEAD_TLS_CERT_FILE and KEYSTEAD_TLS_KEY_FILE, or KEYSTEAD_ALLOW_PLAINTEXT=1 behind a TLS proxy',
  );
  const opening = openingOption(env['NODE_OPTIONS'] ?? '');
  refuse(
    opening !== undefined,
    `KEYSTEAD_PROFILE=production is not started with ${opening}, which opens its memory to others; take it out of NODE_OPTIONS`,
  );
  refuse(
    e.KEYSTEAD_BARE_CLAIM === 'on',
    'KEYSTEAD_PROFILE=production has no claim with a bare public key; leave KEYSTEAD_BARE_CLAIM unset',
  );
  const secret = Object.keys(env).find((name) => SECRET_NAME.test(name));
  refuse(
    secret !== undefined,
    `KEYSTEAD_PROFILE=production takes no secret from the environment, where ${secret} is set; put it into a file or a systemd credential (docs/deployment.md)`,
  );
  refuse(
    e.KEYSTEAD_DATABASE_URL !== undefined && passwordIn(e.KEYSTEAD_DATABASE_URL),
    'KEYSTEAD_PROFILE=production takes no password from the environment; put the URL into a file and set KEYSTEAD_DATABASE_URL_FILE',
  );
}

/** Names of secrets, ours or of the PostgreSQL client: nothing reads ours, but whoever set them thinks otherwise. */
const SECRET_NAME = /^(KEYSTEAD_.*(PIN|PASSWORD|PASSPHRASE|SECRET|SEAL_KEY|API_KEY|TOKEN)|PGPASSWORD)$/;

/** The database's URL, from the environment or from its file. Throws CONFIG_INVALID. */
export function databaseUrlOf(e: Told): string | undefined {
  const { KEYSTEAD_DATABASE_URL: given, KEYSTEAD_DATABASE_URL_FILE: file } = e;
  if (file === undefined) return given;
  needs(given === undefined, 'CONFIG_INVALID', 'set KEYSTEAD_DATABASE_URL or KEYSTEAD_DATABASE_URL_FILE, not both');
  const text = readPrivateFile(file)?.toString('utf8').trim();
  needs(
    text !== undefined && DATABASE_URL.test(text),
    'CONFIG_INVALID',
    `KEYSTEAD_DATABASE_URL_FILE: ${file} must be a file that only its owner can read (mode 0400 or 0600) and begin with postgres:// or postgresql://`,
  );
  return text;
}

function passwordIn(url: string): boolean {
  return URL.canParse(url) && new URL(url).password !== '';
}

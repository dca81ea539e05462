import { type BlockList, isIPv4, isIPv6 } from 'node:net';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { KeysteadError, needs } from '../shared/errors.js';
import { withCredentials } from './credentials.js';
import { assertProfile, DATABASE_URL, databaseUrlOf } from './profile.js';
import { assertSocketsFit, defaultRuntimeDir } from './runtime-dir.js';
import { LIMITS, type Limits, limitsOf, TIMERS, type Timers, timersOf } from './timers.js';
import { trustedProxiesOf } from './trusted-proxies.js';

const MAX_PORT = 65_535;
const file = z.string().min(1).optional();
const milliseconds = (least: number, most: number) => z.coerce.number().int().min(least).max(most);

/** The environment of the server. One line of description each: docs/configuration.md is printed from here. */
const ENVIRONMENT = z.object({
  KEYSTEAD_HOST: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('Address to listen on; any other than loopback needs TLS or KEYSTEAD_ALLOW_PLAINTEXT=1'),
  KEYSTEAD_PORT: z.coerce
    .number()
    .int()
    .min(0)
    .max(MAX_PORT)
    .default(8080)
    .describe('TCP port to listen on; 0 takes a free one'),
  KEYSTEAD_TLS_CERT_FILE: file.describe('PEM file with the certificate chain of the HTTPS listener'),
  KEYSTEAD_TLS_KEY_FILE: file.describe('PEM file with the private key of the HTTPS listener'),
  KEYSTEAD_ADMIN_CLIENT_CA_FILE: file.describe(
    'PEM file with the CA of administrators; when set, what administers needs a client certificate of it',
  ),
  KEYSTEAD_TRUSTED_PROXIES: z
    .string()
    .optional()
    .describe('Addresses and networks of load balancers whose X-Forwarded-For is believed, with commas between them'),
  KEYSTEAD_ALLOW_PLAINTEXT: z
    .enum(['0', '1'])
    .default('0')
    .describe('1 allows HTTP without TLS beyond loopback, for a TLS proxy in front'),
  KEYSTEAD_PUBLIC_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Endpoint that clients are told to use; unset: the address listened on'),
  KEYSTEAD_DATA_DIR: z
    .string()
    .min(1)
    .default('./.keystead')
    .describe('Directory, mode 0700, for the embedded database, unit directories and key files'),
  KEYSTEAD_DATABASE_URL: z
    .string()
    .regex(DATABASE_URL, 'must begin with postgres:// or postgresql://')
    .optional()
    .describe('PostgreSQL to use; unset: an embedded PostgreSQL in the data directory'),
  KEYSTEAD_DATABASE_URL_FILE: file.describe(
    'File, mode 0400 or 0600, with that URL: so its password is in no environment',
  ),
  KEYSTEAD_SHARED_DIR: file.describe(
    'Directory, mode 0700, of the key files that all replicas share; unset: the data directory',
  ),
  KEYSTEAD_RUNTIME_DIR: z
    .string()
    .min(1)
    .optional()
    .describe('Short directory, mode 0700, for Unix sockets; unset: below /run/user or the temporary directory'),
  KEYSTEAD_PROFILE: z
    .enum(['development', 'production'])
    .default('development')
    .describe(
      'production starts with agents under users of their own only, and with TLS or the word that a proxy does it',
    ),
  KEYSTEAD_BARE_CLAIM: z
    .enum(['on', 'off'])
    .optional()
    .describe("IBM's claim with a bare public key, which proves nothing about its file; unset: on, off in production"),
  KEYSTEAD_SOFTHSM_MODULE: file.describe('Path of libsofthsm2; unset: the places where systems install it'),
  KEYSTEAD_UNITS_FILE: file.describe('JSON file that lists prepared tokens; when set, units come from there only'),
  KEYSTEAD_AGENTS_FILE: file.describe(
    'JSON file that lists agents that run by themselves; when set, units come from there only',
  ),
  KEYSTEAD_SEAL_KEY_FILE: file.describe(
    'File with the key that seals token PINs; unset: one made in the data directory',
  ),
  KEYSTEAD_CALL_DEADLINE_MS: milliseconds(100, 600_000)
    .default(3000)
    .describe('How long one call to a unit may take before its agent is restarted'),
  KEYSTEAD_PROBE_INTERVAL_MS: milliseconds(100, 60_000).default(1500).describe('How often every unit is probed'),
  KEYSTEAD_DRAIN_MS: milliseconds(0, 5000)
    .default(0)
    .describe('How long /readyz says no before the listener closes on SIGTERM; for load balancers that poll'),
  KEYSTEAD_LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('Least level of the JSON log lines on standard output'),
  KEYSTEAD_ACCESS_LOG: z
    .enum(['on', 'off'])
    .default('off')
    .describe(
      'on: one line per request at level info (health, metrics: debug); the audit log has those that use a key anyway',
    ),
  ...LIMITS,
  ...TIMERS,
});
export type Environment = z.infer<typeof ENVIRONMENT>;

/** Name, description and default (undefined: unset) of every variable the server reads. */
export const CONFIG_VARIABLES: readonly { name: string; description: string; default: string | undefined }[] =
  Object.entries(ENVIRONMENT.shape).map(([name, schema]) => {
    const value = schema.safeParse(undefined).data;
    return { name, description: schema.description ?? '', default: value === undefined ? undefined : String(value) };
  });

/** What the server was told, checked. Frozen; the one object that stands for the environment. */
export class Config {
  readonly host!: string;
  readonly port!: number;
  readonly tls!:
    | { readonly certFile: string; readonly keyFile: string; readonly clientCaFile?: string | undefined }
    | undefined;
  /** undefined: nobody is believed about where a request came from. */
  readonly trustedProxies!: BlockList | undefined;
  /** Where clients find the server; no slash at its end. */
  readonly publicUrl!: string;
  /** Absolute. */
  readonly dataDir!: string;
  /** Absolute; key files that all replicas have in common. */
  readonly sharedDir!: string;
  /** undefined: the embedded PostgreSQL. */
  readonly databaseUrl!: string | undefined;
  /** Absolute; for Unix sockets, short enough for them. */
  readonly runtimeDir!: string;
  readonly profile!: 'development' | 'production';
  readonly bareClaim!: boolean;
  readonly softHsmModule!: string | undefined;
  readonly unitsFile!: string | undefined;
  /** Absolute; undefined: the server starts its agents. */
  readonly agentsFile!: string | undefined;
  /** Absolute; made on first use when it is the default one. */
  readonly sealKeyFile!: string;
  readonly callDeadlineMs!: number;
  readonly probeIntervalMs!: number;
  readonly drainMs!: number;
  readonly logLevel!: Environment['KEYSTEAD_LOG_LEVEL'];
  /** One line per request. */
  readonly accessLog!: boolean;
  readonly limits!: Limits;
  readonly timers!: Timers;
}

/** Reads the environment. An empty value counts as unset. Throws CONFIG_INVALID with a sentence that names the variable. */
export function loadConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const given = withCredentials(Object.fromEntries(Object.entries(env).filter(([, value]) => value !== '')));
  const parsed = ENVIRONMENT.safeParse(given);
  if (!parsed.success) {
    const sentences = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new KeysteadError('CONFIG_INVALID', sentences.join('; '));
  }
  const e = parsed.data;
  assertExposure(e);
  assertProfile(e, given);
  const dataDir = resolve(e.KEYSTEAD_DATA_DIR);
  const runtimeDir = resolve(e.KEYSTEAD_RUNTIME_DIR ?? defaultRuntimeDir(dataDir));
  assertSocketsFit(runtimeDir);
  const config: Config = {
    host: e.KEYSTEAD_HOST,
    port: e.KEYSTEAD_PORT,
    tls: tlsOf(e),
    trustedProxies: e.KEYSTEAD_TRUSTED_PROXIES === undefined ? undefined : trustedProxiesOf(e.KEYSTEAD_TRUSTED_PROXIES),
    publicUrl: (e.KEYSTEAD_PUBLIC_URL ?? urlOf(e)).replace(/\/+$/, ''),
    dataDir,
    sharedDir: resolve(e.KEYSTEAD_SHARED_DIR ?? dataDir),
    databaseUrl: databaseUrlOf(e),
    runtimeDir,
    profile: e.KEYSTEAD_PROFILE,
    bareClaim: (e.KEYSTEAD_BARE_CLAIM ?? (e.KEYSTEAD_PROFILE === 'production' ? 'off' : 'on')) === 'on',
    softHsmModule: e.KEYSTEAD_SOFTHSM_MODULE,
    unitsFile: e.KEYSTEAD_UNITS_FILE && resolve(e.KEYSTEAD_UNITS_FILE),
    agentsFile: e.KEYSTEAD_AGENTS_FILE && resolve(e.KEYSTEAD_AGENTS_FILE),
    sealKeyFile: e.KEYSTEAD_SEAL_KEY_FILE === undefined ? join(dataDir, 'seal-key') : resolve(e.KEYSTEAD_SEAL_KEY_FILE),
    callDeadlineMs: e.KEYSTEAD_CALL_DEADLINE_MS,
    probeIntervalMs: e.KEYSTEAD_PROBE_INTERVAL_MS,
    drainMs: e.KEYSTEAD_DRAIN_MS,
    logLevel: e.KEYSTEAD_LOG_LEVEL,
    accessLog: e.KEYSTEAD_ACCESS_LOG === 'on',
    limits: limitsOf(e),
    timers: timersOf(e),
  };
  return Object.freeze(Object.assign(new Config(), config));
}

/** Names that begin with KEYSTEAD_ and mean nothing: most likely a typing error, worth a warning. */
export function unknownVariables(env: NodeJS.ProcessEnv = process.env): string[] {
  return Object.keys(env).filter((name) => name.startsWith('KEYSTEAD_') && !Object.hasOwn(ENVIRONMENT.shape, name));
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || (isIPv4(host) && host.startsWith('127.')) || (isIPv6(host) && host === '::1');
}

function assertExposure(e: Environment): void {
  const both = (e.KEYSTEAD_TLS_CERT_FILE === undefined) === (e.KEYSTEAD_TLS_KEY_FILE === undefined);
  needs(both, 'CONFIG_INVALID', 'KEYSTEAD_TLS_CERT_FILE and KEYSTEAD_TLS_KEY_FILE go together: set both or none');
  needs(
    e.KEYSTEAD_ADMIN_CLIENT_CA_FILE === undefined || e.KEYSTEAD_TLS_CERT_FILE !== undefined,
    'CONFIG_INVALID',
    'KEYSTEAD_ADMIN_CLIENT_CA_FILE needs KEYSTEAD_TLS_CERT_FILE and KEYSTEAD_TLS_KEY_FILE: a client certificate is seen by the server that ends TLS only',
  );
  needs(
    isLoopback(e.KEYSTEAD_HOST) || e.KEYSTEAD_TLS_CERT_FILE !== undefined || e.KEYSTEAD_ALLOW_PLAINTEXT === '1',
    'CONFIG_INVALID',
    `KEYSTEAD_HOST ${e.KEYSTEAD_HOST} is not loopback: set KEYSTEAD_TLS_CERT_FILE and KEYSTEAD_TLS_KEY_FILE, or KEYSTEAD_ALLOW_PLAINTEXT=1 behind a TLS proxy`,
  );
}

function tlsOf(e: Environment): Config['tls'] {
  if (e.KEYSTEAD_TLS_CERT_FILE === undefined || e.KEYSTEAD_TLS_KEY_FILE === undefined) return undefined;
  const [certFile, keyFile] = [resolve(e.KEYSTEAD_TLS_CERT_FILE), resolve(e.KEYSTEAD_TLS_KEY_FILE)];
  const { KEYSTEAD_ADMIN_CLIENT_CA_FILE: ca } = e;
  return ca === undefined ? { certFile, keyFile } : { certFile, keyFile, clientCaFile: resolve(ca) };
}

function urlOf(e: Environment): string {
  const host = isIPv6(e.KEYSTEAD_HOST) ? `[${e.KEYSTEAD_HOST}]` : e.KEYSTEAD_HOST;
  return `${tlsOf(e) === undefined ? 'http' : 'https'}://${host}:${e.KEYSTEAD_PORT}`;
}

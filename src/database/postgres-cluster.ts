import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fsyncDir, readPrivateFile, writeDurably } from '../shared/durable-file.js';
import { KeysteadError, needs } from '../shared/errors.js';
import { copyBinaries, findBinaries, makeLinks, type PostgresBinaries } from './postgres-binaries.js';
import { dataOf, settle } from './postgres-place.js';
import { asUser, canRun, choosePostgresUser, ownerFor, type PostgresUser } from './postgres-user.js';

export const SUPERUSER = 'keystead';
const INITDB_TIMEOUT_MS = 120_000;
const PASSWORD_FILE = 'password';

/** A cluster on disk that is ready to be started. */
export interface Cluster {
  readonly data: string;
  readonly binaries: PostgresBinaries;
  readonly user: PostgresUser;
}

/** The password of the embedded database; undefined before the first start. */
export function readPassword(postgresDir: string): string | undefined {
  return readPrivateFile(join(postgresDir, PASSWORD_FILE))?.toString().trim() || undefined;
}

/** How PostgreSQL can be run here; found out by running it. */
export interface ClusterPlan {
  readonly found: PostgresBinaries;
  readonly user: PostgresUser;
}

/** Starts a few processes and waits for them: not for while requests are served. Throws CONFIG_INVALID with the way out. */
export function planCluster(postgresDir: string): ClusterPlan {
  const found = findBinaries();
  makeLinks(found);
  return { found, user: choosePostgresUser(join(found.native, 'bin', 'postgres'), postgresDir) };
}

/** Brings the cluster into a state in which it can be started, and makes it on the first start. Nothing runs on it now. */
export function prepareCluster(postgresDir: string, { found, user }: ClusterPlan): Cluster {
  const place = settle(postgresDir, user);
  const binaries =
    user.kind !== 'other' || canRun(user, join(found.native, 'bin', 'postgres')) ? found : copyBinaries(found, place);
  const data = dataOf(place);
  if (!existsSync(data)) initialise(postgresDir, place, binaries, user);
  const major = readFileSync(join(data, 'PG_VERSION'), 'utf8').trim();
  needs(
    major === binaries.major,
    'CONFIG_INVALID',
    `${data} was made by PostgreSQL ${major} and this server brings ${binaries.major}; dump it with the Keystead that made it, move it away, and restore the dump`,
  );
  needs(
    readPassword(postgresDir) !== undefined,
    'CONFIG_INVALID',
    `${join(postgresDir, PASSWORD_FILE)} is missing or open to other users (mode 0600 is needed); restore it from a backup`,
  );
  return { data, binaries, user };
}

/** initdb under another name, then rename: a data directory that is there is whole. */
function initialise(postgresDir: string, place: string, binaries: PostgresBinaries, user: PostgresUser): void {
  for (const name of readdirSync(place).filter((entry) => entry.startsWith('data.new'))) {
    rmSync(join(place, name), { recursive: true });
  }
  if (readPassword(postgresDir) === undefined) {
    writeDurably(join(postgresDir, PASSWORD_FILE), `${randomBytes(32).toString('base64url')}\n`);
  }
  const owner = ownerFor(user);
  const draft = join(place, 'data.new');
  const passwordFile = join(place, 'data.new-password');
  mkdirSync(draft, { mode: 0o700 });
  chownSync(draft, owner.uid, owner.gid);
  writeDurably(passwordFile, `${readPassword(postgresDir)}\n`);
  chownSync(passwordFile, owner.uid, owner.gid);
  runInitdb(draft, passwordFile, binaries, user);
  rmSync(passwordFile);
  renameSync(draft, dataOf(place));
  fsyncDir(place);
}

function runInitdb(draft: string, passwordFile: string, binaries: PostgresBinaries, user: PostgresUser): void {
  const [program, args, options] = asUser(user, [
    join(binaries.native, 'bin', 'initdb'),
    `--pgdata=${draft}`,
    `--username=${SUPERUSER}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--no-instructions',
  ]);
  const { status, stderr, error } = spawnSync(program, args, {
    ...options,
    cwd: '/',
    env: postgresEnvironment(),
    timeout: INITDB_TIMEOUT_MS,
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  });
  if (status === 0) return;
  const said = error?.message ?? stderr.trim().split('\n').slice(-3).join(' ');
  throw new KeysteadError('DATABASE_UNAVAILABLE', `initdb of the embedded PostgreSQL failed: ${said}`);
}

/** Nothing of ours: our environment may hold secrets, and PG… variables would change what PostgreSQL does. */
export function postgresEnvironment(): NodeJS.ProcessEnv {
  return { PATH: '/usr/bin:/bin', LC_ALL: 'C' };
}

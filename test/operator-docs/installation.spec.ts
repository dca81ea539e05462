import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/config.js';
import { MALLOC, NODE_FLAGS } from '../../src/crypto-units/agent-process.js';
import { readArguments } from '../../src/unit-agent/arguments.js';
import { makeDatabase, type OwnDatabase } from '../database/own-database.js';
import { freePort, ROOT, run } from '../processes.js';
import { Certificates } from '../replicas/certificates.js';
import { until } from '../until.js';
import { execute, pageText } from './drill.js';

/** docs/installation.md: its settings and the unit files in deploy/, started below a directory of the test's own. */
const PAGE = 'docs/installation.md';
const dir = mkdtempSync(join(tmpdir(), 'ksi-'));
const [UNIT_1, UNIT_2] = ['unit-1', 'unit-2'] as const;
const service = (name: string) => readFileSync(join(ROOT, 'deploy', name), 'utf8');
const fenced = (language: string) =>
  [...pageText(PAGE).matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, text = '']) => text);

const children: ChildProcess[] = [];
let database: OwnDatabase;
let log = '';

afterAll(async () => {
  for (const child of children) {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    if (child.exitCode === null && child.kill('SIGTERM')) await gone;
  }
  await database?.drop();
  rmSync(dir, { recursive: true, force: true });
});

/** The lines of a unit file with this name, as systemd gives them to one instance of it. */
const settings = (text: string, name: string, unit = '') =>
  [...text.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value = '']) => value.replaceAll('%i', unit));

/** The paths of an installation, below the test's directory. */
const here = (text: string) =>
  text.replaceAll(/\/(?:var\/lib|run|etc)\/keystead/g, (path) => join(dir, path)).replaceAll('/opt/keystead', ROOT);

const pairs = (lines: readonly string[]) =>
  Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));

/** What ExecStart of the agent's unit file comes to, for one unit, with what its .env says. */
function agentWords(unit: string, more: Record<string, string> = {}): string[] {
  const text = service('keystead-agent@.service');
  const told: Record<string, string> = {
    ...pairs(settings(text, 'Environment', unit)),
    CREDENTIALS_DIRECTORY: '/c',
    ...more,
  };
  const [line = ''] = settings(text, 'ExecStart', unit);
  return line
    .replaceAll(/\$\{?([A-Z_]+)\}?/g, (_, name) => told[name] ?? '')
    .trim()
    .split(/\s+/);
}

/** The environment of the API process: its unit file's, then keystead.env. */
function serverEnvironment(): Record<string, string> {
  const [file = ''] = fenced('ini');
  const told = settings(service('keystead.service'), 'Environment').map((line) => line.replace('%d', '/c'));
  return pairs([...told, ...file.trim().split('\n')]);
}

it('the settings are those of a production server', () => {
  const config = loadConfig(serverEnvironmentWith(join(dir, 'url')));
  expect([config.profile, config.dataDir]).toEqual(['production', '/var/lib/keystead-api']);
});

function serverEnvironmentWith(file: string): Record<string, string> {
  writeFileSync(file, 'postgres://keystead:secret@127.0.0.1/keystead\n', { mode: 0o400 });
  return { ...serverEnvironment(), KEYSTEAD_DATABASE_URL_FILE: file };
}

it('the agents start with words that an agent takes, whatever the unit: its own token, a prepared one, TLS', () => {
  const [, prepared = '', tls = ''] = fenced('ini');
  for (const file of ['', prepared, tls]) {
    const words = agentWords(UNIT_1, pairs(file.trim().split('\n')));
    expect(words[0]).toBe('/opt/keystead/bin/keystead');
    expect(readArguments(words.slice(1)).kind).toBe('serve');
  }
});

it('the agents get the memory that agents of a server get', () => {
  const environment = pairs(settings(service('keystead-agent@.service'), 'Environment', UNIT_1));
  expect(environment).toMatchObject({ ...MALLOC, NODE_OPTIONS: NODE_FLAGS.join(' ') });
});

it('each service gives up what it does not need', () => {
  for (const name of ['keystead.service', 'keystead-agent@.service']) {
    const text = service(name);
    for (const [setting, value] of [
      ['NoNewPrivileges', 'yes'],
      ['ProtectSystem', 'strict'],
      ['CapabilityBoundingSet', ''],
      ['LimitCORE', '0'],
      ['UMask', '0077'],
    ] as const) {
      expect([name, setting, settings(text, setting)]).toEqual([name, setting, [value]]);
    }
    expect(settings(text, 'User')[0]).not.toBe('root');
  }
});

it('the page works as written, and ends with an instance of reserved units', async () => {
  const certificates = new Certificates(join(dir, 'ca'));
  const { certFile, keyFile, caFile } = certificates.issue('server');
  database = await makeDatabase();
  const [port] = await Promise.all([freePort()]);
  const [agentsFile = ''] = fenced('json');
  for (const path of [
    '/etc/keystead',
    '/run/keystead/unit-1',
    '/run/keystead/unit-2',
    '/var/lib/keystead/unit-1',
    '/var/lib/keystead/unit-2',
  ]) {
    mkdirSync(here(path), { recursive: true, mode: 0o700 });
  }
  writeFileSync(here('/etc/keystead/agents.json'), here(agentsFile));
  writeFileSync(join(dir, 'url'), `${database.url}\n`, { mode: 0o600 });
  const work = join(dir, 'work');
  mkdirSync(work);
  const path = `${join(ROOT, 'bin')}:${process.env['PATH'] ?? ''}`;

  const start = (words: string[], env: Record<string, string>) => {
    const child = spawn(process.execPath, words, {
      env: { PATH: path, HOME: work, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        log += chunk.toString();
      });
    children.push(child);
  };
  const startAll = async () => {
    for (const unit of [UNIT_1, UNIT_2]) {
      const sealKey = join(work, `${unit}.seal-key`);
      start(
        agentWords(unit)
          .map(here)
          .map((word) => word.replace('/c/seal-key', sealKey)),
        {},
      );
    }
    await until(
      async () => log.split('"event":"ready"').length === 3,
      30_000,
      () => log,
    );
    start([join(ROOT, 'bin', 'keystead'), 'serve'], {
      ...Object.fromEntries(Object.entries(serverEnvironment()).map(([name, value]) => [name, here(value)])),
      KEYSTEAD_PROFILE: 'development', // agents under this very user are what production refuses
      KEYSTEAD_HOST: '127.0.0.1',
      KEYSTEAD_PORT: String(port),
      KEYSTEAD_TLS_CERT_FILE: certFile,
      KEYSTEAD_TLS_KEY_FILE: keyFile,
      KEYSTEAD_DATABASE_URL_FILE: join(dir, 'url'),
      KEYSTEAD_IMPORT_PAIR_POOL: '0',
    });
    await until(
      async () => log.includes('"event":"listening"'),
      40_000,
      () => log,
    );
  };
  const sh = (cwd: string) => (lines: string) =>
    run('sh', ['-e', '-c', lines], {
      cwd,
      env: {
        PATH: path,
        HOME: work,
        KP_HOME: join(dir, 'kp'),
        KP_TARGET_ADDR: `https://127.0.0.1:${port}`,
        KP_CA_FILE: caFile,
        KP_API_KEY_FILE: join(here('/var/lib/keystead-shared'), 'bootstrap-api-key'),
      },
    });
  const shells = { host: sh(work), verify: hasSystemd() ? sh(unitFiles()) : nothing };
  const wrong = await execute(PAGE, shells, { 'the agents and the server are started': startAll });
  expect(wrong).toEqual([]);
  expect(existsSync(here('/var/lib/keystead/unit-1/unit/pin.sealed'))).toBe(true);
}, 180_000);

const hasSystemd = () => spawnSync('systemd-analyze', ['--version']).status === 0;
const nothing = async () => ({ code: 0, stdout: '', stderr: '' });

/** A directory with the unit files, as they would be with the program where this repository is. */
function unitFiles(): string {
  const to = join(dir, 'system');
  mkdirSync(to);
  writeFileSync(join(to, 'keystead.service'), service('keystead.service').replaceAll('/opt/keystead', ROOT));
  const agent = service('keystead-agent@.service').replaceAll('/opt/keystead', ROOT);
  for (const name of ['keystead-agent@.service', 'keystead-agent@unit-1.service']) writeFileSync(join(to, name), agent);
  return to;
}

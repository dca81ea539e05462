import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, normalize } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './source-files.js';

const CEREMONY_PATIENCE_MS = 150_000;

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const script = (name: string) => import(join(ROOT, 'scripts', name)); // not TypeScript, so of type any

const pages = [
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

describe.each(pages)('%s', (page) => {
  it('links to files that exist', () => {
    const links = [...read(page).matchAll(/\]\((?!https?:|#|mailto:)([^)#]+)/g)].map(([, link = '']) => link);
    expect(links.filter((link) => !existsSync(join(ROOT, dirname(page), link)))).toEqual([]);
  });

  it('names source files that exist', () => {
    const named = [...read(page).matchAll(/`((?:src|scripts|test|bin|softhsm|docs|\.ci)\/[\w./*-]*)`/g)].map(
      ([, path = '']) => path,
    );
    const plain = named.filter((path) => !path.includes('*'));
    expect(plain.filter((path) => !existsSync(join(ROOT, normalize(path))))).toEqual([]);
  });

  it('names npm scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = [...read(page).matchAll(/npm run ([a-z:]+)/g)].map(([, name = '']) => name);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  it('names settings that exist', async () => {
    const { CONFIG_VARIABLES } = await import('../src/config/config.js');
    const ofScripts = ['KEYSTEAD_DEMO_KEEP', 'KEYSTEAD_VECTORS_DIR'];
    const ofLoads = ['KEYSTEAD_LOAD_RATE', 'KEYSTEAD_LOAD_REPORT', 'KEYSTEAD_LOAD_SECONDS', 'KEYSTEAD_SOAK_SECONDS'];
    const ofCrashes = [
      'KEYSTEAD_CRASH_COMMITS',
      'KEYSTEAD_CRASH_SEEDS',
      'KEYSTEAD_HEALTH_CYCLES',
      'KEYSTEAD_DISK_ROUNDS',
    ];
    const ofTests = [...ofLoads, ...ofCrashes, 'KEYSTEAD_FUZZ_REQUESTS', 'KEYSTEAD_TIMING_SAMPLES'];
    const known = [...ofScripts, ...ofTests, ...CONFIG_VARIABLES.map(({ name }) => name)];
    const named = [...read(page).matchAll(/KEYSTEAD_[A-Z_]*[A-Z]/g)].map(([name]) => name);
    expect(named.filter((name) => !known.includes(name))).toEqual([]);
  });
});

describe('set-up', () => {
  it('looks for SoftHSM2 where the agents do', async () => {
    const { SOFTHSM_PATHS } = await script('system.mjs');
    const table = /const SOFTHSM_PATHS = \[(.*?)\]/s.exec(read('src/pkcs11/find-module.ts'))?.[1] ?? '';
    expect([...table.matchAll(/'(.+?)'/g)].map(([, path]) => path)).toEqual(SOFTHSM_PATHS);
  });

  it.each([
    ['20.18.9', false],
    ['20.19.0', true],
    ['20.20.2', true],
    ['21.7.3', false],
    ['22.12.9', false],
    ['22.13.0', true],
    ['23.11.0', false],
    ['24.10.9', false],
    ['24.11.0', true],
    ['26.0.0', true],
  ])('tells whether Node %s is supported: %s', async (version, supported) => {
    const { inRange } = await script('system.mjs');
    expect(inRange(version, '^20.19.0 || ^22.13.0 || >=24.11.0')).toBe(supported);
  });

  it('refuses an unsupported Node with the range it needs', async () => {
    const { needNode } = await script('system.mjs');
    expect(() => needNode(ROOT, '18.20.0')).toThrow(/Node 18\.20\.0 is not supported; install one of .*20\.19/);
  });
});

/** The commands of a page that are to work as written, one after the other. */
const commandsOf = (page: string): string =>
  [...read(page).matchAll(/^```sh ceremony\n(.*?)^```/gms)].map(([, commands = '']) => commands).join('');

describe('the ceremony of README.md', () => {
  const directory = mkdtempSync(join(tmpdir(), 'keystead-ceremony-'));
  // biome-ignore lint/suspicious/noExplicitAny: a class of scripts/server.mjs, which has no types
  let server: any;

  beforeAll(async () => {
    const { DemoServer } = await script('server.mjs');
    server = await DemoServer.launch(directory);
    await server.untilAlive().catch((cause: Error) => {
      throw new Error(`${cause.message}; its log ends with:\n${server.logTail()}`);
    });
  }, 90_000);

  afterAll(async () => {
    await server?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  it(
    'works as written and ends with every crypto unit kms-initialized; then docs/key-protect.md does',
    async () => {
      const ceremony = commandsOf('README.md');
      expect(ceremony.trim().split('\n').length).toBeGreaterThan(10);

      const work = join(directory, 'work');
      mkdirSync(work);
      const env = {
        PATH: [join(ROOT, 'bin'), process.env['PATH']].join(delimiter),
        KP_TARGET_ADDR: server.url,
        KP_API_KEY_FILE: join(server.dataDir, 'bootstrap-api-key'),
        KP_HOME: join(directory, 'kp'),
      };
      const sh = (lines: string) =>
        promisify(execFile)('sh', ['-e', '-c', lines], { cwd: work, env, timeout: CEREMONY_PATIENCE_MS }).catch(
          (cause: Error & { stdout: string }) => {
            throw new Error(`${cause.message}\n${cause.stdout}\nThe server's log ends with:\n${server.logTail()}`);
          },
        );
      await sh(ceremony);
      const { stdout } = await sh('kp crypto-units -o json');
      const units = JSON.parse(stdout) as { state: string }[];
      expect(units.map(({ state }) => state)).toEqual(['kms-initialized', 'kms-initialized', 'kms-initialized']);

      const { stdout: said } = await sh(commandsOf('docs/key-protect.md'));
      expect(said).toMatch(/^Ciphertext +\S+$/m);
      const keys = JSON.parse((await sh('kp keys -o json')).stdout) as { name: string; imported?: boolean }[];
      expect(keys.filter(({ imported }) => imported).map(({ name }) => name)).toEqual(['my-root-key']);
    },
    2 * CEREMONY_PATIENCE_MS,
  );
});

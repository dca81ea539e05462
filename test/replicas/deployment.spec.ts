import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { readArguments } from '../../src/unit-agent/arguments.js';
import { makeDatabase, type OwnDatabase } from '../database/own-database.js';
import { freePort, ROOT } from '../processes.js';

/** The commands of docs/deployment.md and docs/vendor-modules.md. */
const PAGES = ['docs/deployment.md', 'docs/vendor-modules.md'];
const read = (page: string) => readFileSync(join(ROOT, page), 'utf8');
const blocks = (page: string, kind: string) =>
  [...read(page).matchAll(new RegExp(`^\`\`\`${kind}\\n(.*?)^\`\`\``, 'gms'))].map(([, text = '']) => text);

it('every agent that the pages start has arguments that an agent takes', () => {
  const starts = PAGES.flatMap((page) => blocks(page, 'sh'))
    .flatMap((text) => text.replaceAll(/\\\n\s*/g, '').split('\n'))
    .filter((line) => line.startsWith('keystead agent'));
  const kinds = starts.map((line) => readArguments(line.split(/\s+/).slice(1)).kind);
  expect(kinds.filter((kind) => kind === 'serve').length).toBeGreaterThanOrEqual(3);
  expect(kinds.filter((kind) => kind !== 'serve')).toEqual(['reseal']);
});

it('the command line of the container with a module of a vendor is one that an agent takes', () => {
  const [yaml = ''] = blocks('docs/vendor-modules.md', 'yaml');
  const words = [...yaml.matchAll(/^ {6}- ((?!\/).*)$/gm)].map(([, word = '']) => word);
  const task = readArguments(words.slice(words.indexOf('agent')));
  expect(task).toMatchObject({
    kind: 'serve',
    alone: { token: { module: '/opt/vendor/lib/libvendor-pkcs11.so', serial: '1234567890' } },
  });
});

describe('"Try it on one machine"', () => {
  const dir = mkdtempSync(join(tmpdir(), 'ksd-'));
  let database: OwnDatabase;
  let shell: ChildProcess | undefined;
  afterAll(async () => {
    if (shell?.pid !== undefined) process.kill(-shell.pid, 'SIGKILL'); // the group of this shell: all it started
    await database?.drop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('works as written: what one process makes, the other shows', async () => {
    database = await makeDatabase();
    writeFileSync(join(dir, 'database-url'), `${database.url}\n`, { mode: 0o400 });
    const [trial = ''] = blocks('docs/deployment.md', 'sh trial');
    const [first, second] = await Promise.all([freePort(), freePort()]);
    const script = trial.replaceAll('18081', String(first)).replaceAll('18082', String(second));
    const env = {
      PATH: [join(ROOT, 'bin'), process.env['PATH']].join(delimiter),
      HOME: dir,
      KP_HOME: join(dir, 'kp'),
    };
    const started = spawn('sh', ['-e', '-c', script], {
      cwd: dir,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    shell = started;
    let said = '';
    for (const stream of [started.stdout, started.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        said += chunk.toString();
      });
    }
    const code = await new Promise((resolve) => started.once('exit', resolve));
    const listed = said.slice(said.lastIndexOf('ID'));
    expect([code, said]).toEqual([0, expect.stringContaining('reserved')]);
    expect(listed.match(/reserved/g)).toHaveLength(3);
  }, 120_000);
});

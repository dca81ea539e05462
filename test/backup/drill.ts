import { copyFileSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { blocksOf } from '../doc-blocks.js';
import { type Ran, ROOT, run } from '../processes.js';
import { instanceHeader, serves, succeed } from '../units.js';
import { until } from '../until.js';
import { World } from '../world.js';

const DATA_KEY = Buffer.alloc(32, 7).toString('base64');

interface Sealed {
  readonly key: string;
  readonly ciphertext: string;
}

/** Makes so many root keys and wraps a data key with each. */
export async function fill(world: World, keys: number): Promise<Sealed[]> {
  const made: Sealed[] = [];
  const headers = { ...instanceHeader(world), 'content-type': 'application/vnd.ibm.kms.key+json' };
  for (let n = 0; n < keys; n += 1) {
    const resource = { type: 'application/vnd.ibm.kms.key+json', name: `key-${n}`, extractable: false };
    const metadata = { collectionType: 'application/vnd.ibm.kms.key+json', collectionTotal: 1 };
    const answer = await world.api('POST', '/api/v2/keys', { metadata, resources: [resource] }, headers);
    if (answer.status !== 201) throw new Error(`key ${n}: ${answer.status} ${answer.text}`);
    const key = answer.body.resources[0].id as string;
    made.push({ key, ciphertext: await wrapWith(world, key) });
  }
  return made;
}

export async function wrapWith(world: World, key: string): Promise<string> {
  const path = `/api/v2/keys/${key}/actions/wrap`;
  const { status, body, text } = await world.api('POST', path, { plaintext: DATA_KEY }, instanceHeader(world));
  if (status !== 200) throw new Error(`wrap: ${status} ${text}`);
  return body.ciphertext;
}

/** Those that do not open as they were. */
export async function lost(world: World, all: readonly Sealed[]): Promise<string[]> {
  const gone: string[] = [];
  for (const { key, ciphertext } of all) {
    const path = `/api/v2/keys/${key}/actions/unwrap`;
    const { body } = await world.api('POST', path, { ciphertext }, instanceHeader(world));
    if (body?.plaintext !== DATA_KEY) gone.push(key);
  }
  return gone;
}

/** Runs lines of docs/backup.md, on the server's host, with the files of the administrator beside them. */
export function sh(world: World, lines: string, env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  return run('sh', ['-e', '-c', lines], {
    cwd: world.files,
    env: {
      ...world.kpEnv(),
      PATH: `${join(ROOT, 'bin')}:${process.env['PATH'] ?? ''}`,
      KEYSTEAD_DATA_DIR: world.dataDir,
      KEYSTEAD_RUNTIME_DIR: join(world.dir, 'run'),
      ...env,
    },
  });
}

/** The only block of the page with the name. */
export function written(name: string): string {
  const [block, ...more] = blocksOf('docs/backup.md', name);
  if (block === undefined || more.length > 0) throw new Error(`docs/backup.md has no single block 'sh ${name}'`);
  return block;
}

/** The disaster: the server's host is gone, with its units, its database and every file; what is left is kept elsewhere. */
export async function loseEverything(world: World): Promise<void> {
  const apiKey = readFileSync(join(world.dataDir, 'bootstrap-api-key'));
  await world.stopServer();
  renameSync(world.dataDir, `${world.dataDir}.lost-${Date.now()}`);
  world.file('manager-api-key', apiKey.toString());
}

/** The way back, as docs/backup.md has it, with these two shares in place of 1 and 2. How many milliseconds it took. */
export async function recover(world: World, [first = '1', second = '2']: Iterable<string> = '12'): Promise<number> {
  const began = Date.now();
  await succeed(sh(world, written('restore')));
  await world.launch();
  const env = { KP_API_KEY_FILE: join(world.files, 'manager-api-key') };
  await until(async () => (await succeed(sh(world, 'kp crypto-units -o json', env))).stdout.includes('"id"'), 20_000);
  const lines = written('recover').replace(/share-2(.*?)SHARE_2/, `share-${second}$1SHARE_${second}`);
  await succeed(sh(world, lines.replace(/share-1(.*?)SHARE_1/, `share-${first}$1SHARE_${first}`), env));
  copyFileSync(env.KP_API_KEY_FILE, join(world.dataDir, 'bootstrap-api-key'));
  for (const { id } of await world.units()) await serves(world, id, 30_000);
  return Date.now() - began;
}

/** Permission bits, octal. */
export const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

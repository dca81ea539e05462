import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CliContext } from './context.js';
import {
  CIPHERTEXT,
  DATA_KEY,
  IV,
  type MaterialKind,
  MaterialReader,
  NONCE,
  ROOT_KEY,
  STANDARD_KEY,
} from './material.js';

const KEY = Buffer.from('00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff', 'hex');
const BASE64 = KEY.toString('base64');

let directory: string;
let said: string[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kp-'));
  said = [];
});
afterEach(() => rmSync(directory, { recursive: true }));

function file(content: Buffer | string): string {
  const path = join(directory, 'material');
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

function reader(env: Record<string, string> = {}, lines: string[] = []): MaterialReader {
  const context: Partial<CliContext> = {
    env,
    json: false,
    err: (line) => said.push(line),
    linesOf: async () => [...lines],
  };
  return new MaterialReader(context as CliContext);
}

const read = async (text: string, kind: MaterialKind, from = reader()) => (await from.read(text, kind, '-k')).bytes;

test('base64 comes from the command line, a variable, a file, stdin or a descriptor, whose lines are read in turn', async () => {
  expect(await read(BASE64, ROOT_KEY)).toEqual(KEY);
  expect(await read('env:K', ROOT_KEY, reader({ K: `${BASE64}\n` }))).toEqual(KEY);
  expect(await read(`@${file(`${BASE64}\n`)}`, ROOT_KEY)).toEqual(KEY);
  const lines = reader({}, [BASE64, 'AQID']);
  expect(await read('stdin', ROOT_KEY, lines)).toEqual(KEY);
  expect(await read('fd:0', DATA_KEY, lines)).toEqual(Buffer.from([1, 2, 3]));
});

test('base64 may have the line breaks of the base64 command', async () => {
  const long = Buffer.alloc(100, 7);
  const wrapped = long.toString('base64').replace(/(.{76})/g, '$1\n');
  expect(await read(`@${file(wrapped)}`, STANDARD_KEY)).toEqual(long);
});

test('raw: takes the bytes of a file as they are, also when they read as base64', async () => {
  expect(await read(`raw:${file('password')}`, STANDARD_KEY)).toEqual(Buffer.from('password'));
});

test('@FILE takes the bytes themselves only where their number tells them from base64', async () => {
  expect(await read(`@${file(KEY)}`, ROOT_KEY)).toEqual(KEY);
  expect(await read(`@${file(KEY.subarray(0, 12))}`, NONCE)).toEqual(KEY.subarray(0, 12));
  await expect(read(`@${file(Buffer.from([0, 255]))}`, STANDARD_KEY)).rejects.toThrow('raw:');
  const both = KEY.subarray(0, 24).toString('base64'); // 32 letters: an AES-256 key, or the base64 of an AES-192 key
  await expect(read(`@${file(both)}`, ROOT_KEY)).rejects.toThrow('may be 32 bytes or the base64 of 24');
  expect(await read(`@${file(`${both}\n`)}`, ROOT_KEY)).toEqual(KEY.subarray(0, 24));
  expect(await read(`raw:${file(both)}`, ROOT_KEY)).toEqual(Buffer.from(both));
});

test('a secret on the command line is warned of once; what is no secret, or is elsewhere, is not', async () => {
  const from = reader({ K: BASE64 });
  await read('env:K', ROOT_KEY, from);
  await read(Buffer.alloc(12).toString('base64'), IV, from);
  await read('AQID', CIPHERTEXT, from);
  expect(said).toEqual([]);
  await read(BASE64, ROOT_KEY, from);
  await read('AQID', DATA_KEY, from);
  expect(said).toEqual([expect.stringContaining('Warning: key material on the command line (-k)')]);
});

test.each([
  ['bytes that are too few', Buffer.alloc(15).toString('base64'), ROOT_KEY, '16, 24 or 32 bytes; it has 15'],
  ['a nonce of 16 bytes', Buffer.alloc(16).toString('base64'), NONCE, '12 bytes; it has 16'],
  ['7501 bytes of a standard key', Buffer.alloc(7501).toString('base64'), STANDARD_KEY, '1 to 7500 bytes'],
  ['nothing', '', DATA_KEY, 'in base64'],
  ['base64 without its padding', 'AQI', DATA_KEY, 'in base64'],
  ['base64 with surplus bits', 'AQJ=', DATA_KEY, 'in base64'],
  ['base64url', '-_-_', DATA_KEY, 'in base64'],
  ['a variable that is not set', 'env:NOT_SET', DATA_KEY, 'NOT_SET'],
  ['a descriptor that is no number', 'fd:x', DATA_KEY, 'open file descriptor'],
  ['stdin without a line', 'stdin', DATA_KEY, 'stdin holds no line'],
  ['a file that is not there', '@missing', DATA_KEY, 'there is no such file'],
])('%s is refused', async (_what, text, kind, says) => {
  await expect(read(text, kind)).rejects.toThrow(says);
});

test('no refusal quotes a secret', async () => {
  const secret = 'hunter2-hunter2';
  for (const text of [secret, `env:K`, `@${file(secret)}`]) {
    const refused = read(text, ROOT_KEY, reader({ K: secret }));
    await expect(refused).rejects.toMatchObject({ code: 'USAGE' });
    await expect(refused).rejects.not.toThrow('hunter2');
  }
});

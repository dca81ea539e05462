import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kp } from '../cli/kp.js';
import { chained, exported, fieldsOf, MadeUnit } from './made-log.js';
import { tamper } from './tampering.js';

/** kp audit verify, offline: what it believes, and that it misses nothing up to the last checkpoint in the file. */
const directory = mkdtempSync(join(tmpdir(), 'keystead-verify-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const unit = new MadeUnit();
const made = (count: number) => Array.from({ length: count }, (_, at) => fieldsOf(at + 1));
const put = (name: string, text: readonly string[]) => {
  const path = join(directory, name);
  writeFileSync(path, text.map((line) => `${line}\n`).join(''));
  return path;
};
const verify = (...words: string[]) => kp(['audit', 'verify', ...words, '-o', 'json'], { env: { KP_HOME: directory } });
const trusting = (...words: string[]) => verify(...words, '--unit-key', unit.fingerprint);

it('300 random tamperings with a log of 800 lines are all found', async () => {
  const { missed, tried } = await tamper(800, 300);
  expect({ missed, tried }).toEqual({ missed: [], tried: 300 });
}, 240_000);

it('a whole export under a compared unit key is exit 0, and says up to where it was signed', async () => {
  const log = chained(made(50));
  const path = put('whole', exported(log, unit, log.slice(0, 40)));
  const { code, stdout } = await trusting(path);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ from: 0, size: 50, signed: 40, checkpoints: [{ trusted: true }] });
});

it('an export under keys that nobody compared is exit 5: whoever made it may have made them', async () => {
  const { code, stderr } = await verify(put('stranger', exported(chained(made(5)), new MadeUnit())));
  expect([code, JSON.parse(stderr).error.code]).toEqual([5, 'UNIT_KEY_UNKNOWN']);
});

it('an export without a checkpoint is exit 5: nothing proves it', async () => {
  const [header = '', , ...rest] = exported(chained(made(5)), unit);
  const unsigned = [header, ...rest].map((line) => line.replace('"checkpoints":1', '"checkpoints":0'));
  expect((await trusting(put('unsigned', unsigned))).code).toBe(5);
});

it('a changed line is exit 5 and named', async () => {
  const text = exported(chained(made(9)), unit).map((line) => line.replace('"key-7"', '"key-8"'));
  const { code, stderr } = await trusting(put('changed', text));
  expect([code, JSON.parse(stderr).error]).toEqual([
    5,
    { code: 'AUDIT_TAMPERED', message: expect.stringContaining('line 7 of the log') },
  ]);
});

it('two exports of which one goes on where the other ends are one history', async () => {
  const log = chained(made(30));
  const [short, long] = [put('short', exported(log.slice(0, 20), unit)), put('long', exported(log, unit))];
  expect((await trusting(short, long)).code).toBe(0);
  expect((await trusting(long, short)).code).toBe(0);
});

it('two exports that part are told apart, with the line where they do', async () => {
  const other = made(30).map((line, at) => (at >= 12 ? { ...line, by: 'somebody else' } : line));
  const [one, two] = [put('one', exported(chained(made(30)), unit)), put('two', exported(chained(other), unit))];
  expect((await trusting(two)).code).toBe(0);
  const { code, stderr } = await trusting(one, two);
  expect([code, JSON.parse(stderr).error.message]).toEqual([5, expect.stringContaining('line 13 of the log')]);
});

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NewFiles } from './new-files.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'new-files-'));
});
afterEach(() => rmSync(dir, { recursive: true }));
const at = (name: string) => join(dir, name);
const refused = (code: string, name: string) =>
  expect.objectContaining({ code, message: expect.stringContaining(name) });

describe('new files', () => {
  it('get their names together, at the end, with mode 0600', () => {
    mkdirSync(at('other'));
    const names = [at('a'), at('other/b')];
    const files = new NewFiles(names);
    const umask = process.umask(0);
    try {
      files.write(0, 'first');
      files.write(1, 'second');
    } finally {
      process.umask(umask);
    }
    expect([files.read(0), files.read(1)].map(String)).toEqual(['first', 'second']);
    expect(readdirSync(dir)).not.toContain('a');
    files.publish();
    expect(readdirSync(dir).sort()).toEqual(['a', 'other']);
    expect(readdirSync(at('other'))).toEqual(['b']);
    expect(names.map((name) => statSync(name).mode & 0o777)).toEqual([0o600, 0o600]);
    expect(names.map((name) => readFileSync(name, 'utf8'))).toEqual(['first', 'second']);
  });

  it('are removed again when abandoned, and nothing else is', () => {
    writeFileSync(at('mine'), 'x');
    writeFileSync(at('.keystead-0000000000000000.partial'), 'of a dead run');
    const files = new NewFiles([at('a'), at('b')]);
    files.write(0, 'first');
    files.abandon();
    expect(readdirSync(dir).sort()).toEqual(['.keystead-0000000000000000.partial', 'mine']);
  });

  it('are removed, published or not, when one name was taken meanwhile; the one who took it keeps it', () => {
    const files = new NewFiles([at('a'), at('b')]);
    files.write(0, 'first');
    files.write(1, 'second');
    writeFileSync(at('b'), 'theirs');
    expect(() => files.publish()).toThrow(refused('FILE_EXISTS', at('b')));
    files.abandon();
    expect(readdirSync(dir)).toEqual(['b']);
    expect(readFileSync(at('b'), 'utf8')).toBe('theirs');
  });

  it.each<[string, string, () => void]>([
    ['an existing file', 'FILE_EXISTS', () => writeFileSync(at('a'), '')],
    ['a symbolic link', 'FILE_EXISTS', () => symlinkSync('/dev/null', at('a'))],
    ['a dangling symbolic link', 'FILE_EXISTS', () => symlinkSync(at('nowhere'), at('a'))],
    ['a fifo', 'FILE_EXISTS', () => execFileSync('mkfifo', [at('a')])],
    ['a folder', 'FILE_EXISTS', () => mkdirSync(at('a'))],
    ['a file in a group-writable folder', 'FILE_INVALID', () => chmodSync(dir, 0o770)],
    ['a file in a world-writable folder', 'FILE_INVALID', () => chmodSync(dir, 0o707)],
  ])('are refused in place of %s', (_, code, prepare) => {
    prepare();
    expect(() => new NewFiles([at('a')])).toThrow(refused(code, at('a')));
  });

  it('are allowed in a sticky folder, such as /tmp', () => {
    chmodSync(dir, 0o1777);
    expect(() => new NewFiles([at('a')])).not.toThrow();
  });

  it('are refused in a folder that is not there, or is a file', () => {
    writeFileSync(at('file'), '');
    expect(() => new NewFiles([at('missing/a')])).toThrow(refused('FILE_INVALID', at('missing')));
    expect(() => new NewFiles([at('file/a')])).toThrow(refused('FILE_INVALID', at('file/a')));
  });

  it('are refused when two are the same, however they are spelled', () => {
    symlinkSync('.', at('here'));
    for (const other of [at('a'), `${dir}/./a`, at('here/a')]) {
      expect(() => new NewFiles([at('a'), other])).toThrow(refused('USAGE', 'twice'));
    }
  });
});

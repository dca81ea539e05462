import { closeSync, constants, fsyncSync, linkSync, openSync, rmSync, writeSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { readDump } from '../database/dump-file.js';
import type { DumpEnd } from '../database/dump-format.js';
import { KeysteadError, messageOf } from '../shared/errors.js';
import { Api } from './api.js';
import { type CliContext, printResult } from './context.js';
import { assertCreatable, syncDirectory } from './files.js';
import { leaf } from './options.js';

const MEGABYTE = 1e6;

export function addBackup(program: Command, ctx: CliContext): void {
  leaf(
    program,
    'backup',
    'Write a backup of the whole database, of all instances, to a new file',
    'kp backup monday.backup',
  )
    .argument('<file>', 'the file to make (0600)')
    .action((file: string) => backup(ctx, file));
}

/** The file gets its name when it is whole and on the disk. */
async function backup(ctx: CliContext, path: string): Promise<void> {
  await assertCreatable(path);
  const api = await Api.open(ctx);
  const unfinished = `${path}.unfinished`;
  rmSync(unfinished, { force: true });
  let end: DumpEnd;
  try {
    await receive(ctx, api, unfinished);
    ({ end } = await readDump(unfinished));
    name(unfinished, path);
  } finally {
    rmSync(unfinished, { force: true });
  }
  await syncDirectory(dirname(resolve(path)));
  const { rows, sha256 } = end;
  printResult(ctx, { file: path, rows, sha256 }, () => `OK\n${rows} rows are in ${path}, SHA-256 ${sha256}`);
}

async function receive(ctx: CliContext, api: Api, path: string): Promise<void> {
  const file = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  let [bytes, drawn] = [0, 0];
  try {
    await api.download('POST', '/api/v1/backups', (part) => {
      for (let at = 0; at < part.length; ) at += writeSync(file, part, at);
      bytes += part.length;
      if (bytes - drawn < MEGABYTE) return;
      ctx.draw?.(`backup … ${Math.round(bytes / MEGABYTE)} MB`);
      drawn = bytes;
    });
    fsyncSync(file);
  } finally {
    if (drawn > 0) ctx.draw?.('');
    closeSync(file);
  }
}

/** Unlike a rename, a link never replaces what got the name meanwhile. */
function name(unfinished: string, path: string): void {
  try {
    linkSync(unfinished, path);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code === 'EEXIST' ? 'FILE_EXISTS' : 'FILE_INVALID';
    throw new KeysteadError(code, `cannot make ${path}: ${messageOf(cause)}; choose another name`, { cause });
  }
}

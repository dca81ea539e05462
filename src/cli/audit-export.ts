import { constants } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { GENESIS } from '../audit/audit-chain.js';
import { FORMAT, recordOf, textOf } from '../audit/export-format.js';
import { KeysteadError, messageOf } from '../shared/errors.js';
import { Api } from './api.js';
import { type CliContext, notice, printResult, usage } from './context.js';
import { assertCreatable, syncDirectory } from './files.js';
import { type CommonOptions, leaf, toNumber } from './options.js';

const PAGE_LINES = 500;
const TIMEOUT_MS = 120_000;

const Checkpoint = z.looseObject({
  unitId: z.string(),
  size: z.number(),
  document: z.string(),
  receiptKey: z.string(),
});
const Round = z.looseObject({
  checkpoints: z.array(Checkpoint),
  failed: z.array(z.looseObject({ unitId: z.string(), message: z.string() })).default([]),
});
const text = z.string().nullable();
const Stored = z.looseObject({
  seq: z.number(),
  at: z.string(),
  act: z.string(),
  outcome: z.enum(['success', 'failure']),
  by: z.string(),
  instanceId: text,
  unitId: text,
  target: text,
  detail: text,
  correlationId: text.default(null),
  requestPath: text.default(null),
  hash: z.string(),
});
const Lines = z.looseObject({ lines: z.array(Stored) });
const Place = z.looseObject({ size: z.number(), root: z.string() });

interface ExportOptions extends CommonOptions {
  readonly after?: number;
}

export function addAuditExport(audit: Command, ctx: CliContext): void {
  leaf(
    audit,
    'export',
    'Write the audit log, and what the crypto units sign of it now, to a new file',
    'kp audit export audit.ndjson',
    'kp audit export later.ndjson --after 120000',
  )
    .argument('<file>', 'the file to make (0600)')
    .option(
      '--after <size>',
      'only the lines after the first so many, which another file holds',
      toNumber(0, 999_999_999_999),
    )
    .action((file: string, options: ExportOptions) => exportLog(ctx, file, options));
}

/** The units sign first, so that what is exported ends where they signed. */
async function exportLog(ctx: CliContext, path: string, { after = 0 }: ExportOptions): Promise<void> {
  await assertCreatable(path);
  const api = await Api.open(ctx);
  const { checkpoints, failed } = await api.call('POST', '/api/v1/audit/checkpoints', Round, { timeoutMs: TIMEOUT_MS });
  for (const { unitId, message } of failed) notice(ctx, `CryptoUnit ${unitId} did not sign: ${message}`);
  if (checkpoints.length === 0) notice(ctx, 'No crypto unit signed, so nothing proves what is in this file.');
  const signed = Math.max(-1, ...checkpoints.map(({ size }) => size));
  const size = signed >= 0 ? signed : (await api.call('GET', '/api/v1/audit/head', Place)).size;
  if (after > size) throw usage(`the log has ${size} lines, so there is nothing after the first ${after}`);
  const written = await write(path, async (line) => {
    const from = await rootAt(api, after);
    await line(JSON.stringify({ type: 'header', format: FORMAT, after: { size: after, root: from } }));
    for (const { unitId, receiptKey, document } of checkpoints) {
      await line(JSON.stringify({ type: 'checkpoint', unitId, receiptKey, document }));
    }
    const root = await copyLines(api, { after, size, root: from }, line);
    await line(JSON.stringify({ type: 'end', checkpoints: checkpoints.length, size, root }));
    return { file: path, lines: size - after, size, root, checkpoints: checkpoints.length };
  });
  printResult(ctx, written, () =>
    [
      'OK',
      `${written.lines} lines are in ${path}, signed by ${checkpoints.length} crypto units.`,
      `Next: kp audit verify ${path}`,
    ].join('\n'),
  );
}

async function rootAt(api: Api, size: number): Promise<string> {
  if (size === 0) return GENESIS.toString('hex');
  const { lines } = await api.call('GET', `/api/v1/audit/lines?after=${size - 1}&limit=1`, Lines);
  return lines[0]?.hash ?? '';
}

/** Writes the lines between the two places; the hash of the last. What is wrong with them is for verify to say. */
async function copyLines(
  api: Api,
  { after, size, root }: { after: number; size: number; root: string },
  line: (text: string) => Promise<void>,
): Promise<string> {
  let last = root;
  for (let at = after; at < size; ) {
    const limit = Math.min(PAGE_LINES, size - at);
    const { lines } = await api.call('GET', `/api/v1/audit/lines?after=${at}&limit=${limit}`, Lines);
    if (lines.length === 0) {
      throw new KeysteadError(
        'AUDIT_TAMPERED',
        `the log ends after line ${at}, and crypto units signed ${size} lines of it`,
      );
    }
    for (const stored of lines) await line(textOf(recordOf(stored)));
    last = lines.at(-1)?.hash ?? last;
    at = lines.at(-1)?.seq ?? size;
  }
  return last;
}

/** A new file with mode 0600, durable when this returns; nothing is left of it when it fails. */
async function write<T>(path: string, work: (line: (text: string) => Promise<void>) => Promise<T>): Promise<T> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const file: FileHandle = await open(path, flags, 0o600).catch((cause: unknown) => {
    throw new KeysteadError('FILE_INVALID', `cannot make ${path}: ${messageOf(cause)}`, { cause });
  });
  try {
    let waiting: string[] = [];
    const flush = async () => {
      await file.appendFile(waiting.join(''));
      waiting = [];
    };
    const done = await work(async (text) => {
      waiting.push(`${text}\n`);
      if (waiting.length >= PAGE_LINES) await flush();
    });
    await flush();
    await file.sync();
    await syncDirectory(dirname(resolve(path)));
    return done;
  } catch (cause) {
    await unlink(path);
    throw cause;
  } finally {
    await file.close();
  }
}

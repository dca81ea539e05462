import { type ErrorCode, KeysteadError } from '../shared/errors.js';
import type { Terminal } from './terminal.js';
import type { HttpRequest, HttpResponse } from './transport.js';

/**
 * Everything a command may touch besides files it is told to read or write (files.ts): the environment, the two
 * output streams, a person at a terminal, HTTP and the clock. Tests hand in their own.
 */
export interface CliContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The command line without `node` and the script, to say it again in a retry. */
  readonly argv: readonly string[];
  /** True with `-o json`: one JSON value on stdout, one JSON object per line on stderr. */
  readonly json: boolean;
  /** Writes one line to stdout. */
  out(line: string): void;
  /** Writes one line to stderr. */
  err(line: string): void;
  /** Null when nobody can be asked: stdin is not a terminal. */
  readonly terminal: Terminal | null;
  /** Writes over the current line of stderr; null when stderr is not a terminal. */
  readonly draw: ((text: string) => void) | null;
  /** All that is left in a file descriptor, read once, as lines. */
  linesOf(fd: number): Promise<string[]>;
  request(request: HttpRequest): Promise<HttpResponse>;
  now(): Date;
  wait(milliseconds: number): Promise<void>;
}

/** A refusal of `kp` itself, with the next command to run when there is one. */
export class CommandFailure extends KeysteadError {
  constructor(
    code: ErrorCode,
    message: string,
    readonly next?: string,
    options?: ErrorOptions,
  ) {
    super(code, message, options);
  }
}

/** A usage error (exit 2). */
export function usage(message: string, next?: string): CommandFailure {
  return new CommandFailure('USAGE', message, next);
}

/** The result of a command: the value itself with `-o json`, otherwise the text made for people. */
export function printResult(ctx: CliContext, value: unknown, text: () => string): void {
  ctx.out(ctx.json ? JSON.stringify(value, null, 2) : text());
}

/** Something worth knowing that is not an error: a sentence on stderr. */
export function notice(ctx: CliContext, message: string): void {
  ctx.err(ctx.json ? JSON.stringify({ warning: { message } }) : message);
}

const PROGRESS_AFTER_MS = 1000;

/** Waits for the work; when it takes more than a second and stderr is a terminal, says meanwhile what is going on. */
export async function withProgress<T>(ctx: CliContext, label: string, work: Promise<T>): Promise<T> {
  const { draw } = ctx;
  if (!draw || ctx.json) return work;
  const started = Date.now();
  let drawn = false;
  const timer = setInterval(() => {
    drawn = true;
    draw(`${label} … ${Math.round((Date.now() - started) / 1000)} s`);
  }, PROGRESS_AFTER_MS);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    if (drawn) draw('');
  }
}

import { open } from 'node:fs/promises';
import { assertPassphrase, charactersIn } from '../admins/passphrase.js';
import { messageOf } from '../shared/errors.js';
import { Secret } from '../shared/secret.js';
import { type CliContext, CommandFailure, notice, usage } from './context.js';

/**
 * Where a passphrase comes from. In `file#passphrase` the last '#' divides; what follows it is one of
 *   env:VAR   file:PATH   fd:N   stdin   pass:LITERAL   or the passphrase itself;
 * without '#' the person is asked. Several references to one descriptor (or stdin) read one line each.
 */
export type PassphraseSource =
  | { readonly kind: 'ask' }
  | { readonly kind: 'none' }
  | { readonly kind: 'env'; readonly name: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'fd'; readonly fd: number }
  | { readonly kind: 'literal'; readonly value: string; readonly bare: boolean };

/** A file and where its passphrase comes from: `admin.key#env:PASS`. */
export interface FileReference {
  readonly file: string;
  readonly source: PassphraseSource;
  /** The text was typed on the command line, where other users of the machine may read it. */
  readonly fromArgv: boolean;
}

/** The source that the text after '#' names; an empty text means that there is no passphrase. */
export function parseSource(text: string): PassphraseSource {
  if (text === '') return { kind: 'none' };
  if (text === 'stdin') return { kind: 'fd', fd: 0 };
  const [, scheme, rest] = /^(env|file|fd|pass):(.*)$/s.exec(text) ?? [];
  if (scheme === 'env') {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(rest ?? '')) throw usage('env: must be followed by the name of a variable');
    return { kind: 'env', name: rest ?? '' };
  }
  if (scheme === 'file') {
    if (!rest) throw usage('file: must be followed by a path');
    return { kind: 'file', path: rest };
  }
  if (scheme === 'fd') {
    if (!/^\d{1,4}$/.test(rest ?? '')) throw usage('fd: must be followed by the number of an open file descriptor');
    return { kind: 'fd', fd: Number(rest) };
  }
  if (scheme === 'pass') return { kind: 'literal', value: rest ?? '', bare: false };
  return { kind: 'literal', value: text, bare: true };
}

/** Divides `file#passphrase` at the last '#'. Throws USAGE for a path of 0 or more than 255 characters. */
export function parseReference(text: string, fromArgv: boolean): FileReference {
  const hash = text.lastIndexOf('#');
  const file = hash < 0 ? text : text.slice(0, hash);
  if (file.length < 1 || file.length > 255) throw usage('the path of a file must have 1 to 255 characters');
  return { file, source: hash < 0 ? { kind: 'ask' } : parseSource(text.slice(hash + 1)), fromArgv };
}

/** The reference as it may be printed: a literal passphrase is left out, so that it will be asked for. */
export function printable(reference: FileReference): string {
  const { file, source } = reference;
  switch (source.kind) {
    case 'env':
      return `${file}#env:${source.name}`;
    case 'file':
      return `${file}#file:${source.path}`;
    case 'fd':
      return source.fd === 0 ? `${file}#stdin` : `${file}#fd:${source.fd}`;
    case 'none':
      return `${file}#`;
    case 'ask':
    case 'literal':
      return file.includes('#') ? `${file}#` : file;
  }
}

export interface Question {
  /** What the passphrase is for, as in "passphrase of admin.key". */
  readonly subject: string;
  /** A new passphrase is asked for twice. */
  readonly isNew?: boolean;
}

/** Reads passphrases for one run of `kp`: remembers how far each descriptor was read and what was said already. */
export class PassphraseReader {
  readonly #lines = new Map<number, string[]>();
  #warned = false;

  constructor(private readonly ctx: CliContext) {}

  /** The passphrase, or null for "none". Throws USAGE, FILE_INVALID or PASSPHRASE_WRONG with what to do. */
  async read(source: PassphraseSource, fromArgv: boolean, question: Question): Promise<Secret | null> {
    const text = await this.#text(source, fromArgv, question);
    return text === null ? null : new Secret(Buffer.from(text, 'utf8'));
  }

  async #text(source: PassphraseSource, fromArgv: boolean, question: Question): Promise<string | null> {
    switch (source.kind) {
      case 'none':
        return null;
      case 'env':
        return this.#variable(source.name, question);
      case 'file':
        return firstLine(source.path, question);
      case 'fd':
        if (source.fd === 0 && this.ctx.terminal) return this.#ask(question);
        return this.#line(source.fd, question);
      case 'literal':
        if (source.bare && fromArgv) this.#warn();
        return source.value;
      case 'ask':
        return this.#ask(question);
    }
  }

  #variable(name: string, { subject }: Question): string {
    const value = this.ctx.env[name];
    if (value) return value;
    throw usage(`the variable ${name}, which should hold the passphrase of ${subject}, is not set`, `export ${name}=…`);
  }

  async #line(fd: number, { subject }: Question): Promise<string> {
    const lines = this.#lines.get(fd) ?? (await this.ctx.linesOf(fd));
    this.#lines.set(fd, lines);
    const line = lines.shift();
    if (line) return line;
    const name = fd === 0 ? 'stdin' : `file descriptor ${fd}`;
    throw usage(`${name} holds no line with the passphrase of ${subject}; give one line for each reference`);
  }

  async #ask({ subject, isNew }: Question): Promise<string> {
    const { terminal } = this.ctx;
    if (!terminal) {
      throw usage(
        `the passphrase of ${subject} is needed and nobody can be asked, since stdin is not a terminal; add #env:VAR, #file:PATH, #fd:N or #stdin after the file's name`,
      );
    }
    const typed = await terminal.askHidden(`${isNew ? 'New passphrase' : 'Passphrase'} of ${subject}: `);
    if (isNew && (await terminal.askHidden('The same again: ')) !== typed) {
      throw new CommandFailure('PASSPHRASE_WRONG', `the two passphrases of ${subject} differ; nothing was done`);
    }
    return typed;
  }

  #warn(): void {
    if (this.#warned) return;
    this.#warned = true;
    notice(
      this.ctx,
      'Warning: a passphrase on the command line can be seen in the process list and in the shell history; better in its place: env:VAR, file:PATH, fd:N, stdin, or let kp ask for it.',
    );
  }
}

/** The first line of a file or pipe: what `echo pass > file` and `<(pass show x)` make. */
async function firstLine(path: string, { subject }: Question): Promise<string> {
  try {
    const file = await open(path, 'r');
    try {
      const line = (await file.readFile('utf8')).split(/\r?\n/, 1)[0];
      if (line) return line;
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new CommandFailure(
      'FILE_INVALID',
      `cannot read the passphrase of ${subject}: ${messageOf(cause)}`,
      undefined,
      {
        cause,
      },
    );
  }
  throw new CommandFailure(
    'FILE_INVALID',
    `${path} should hold the passphrase of ${subject} and begins with an empty line`,
  );
}

const COMFORTABLE_CHARACTERS = 12;

/** Throws USAGE unless a new passphrase keeps the limits; says so when it is short for a file at rest. */
export function judgePassphrase(
  ctx: CliContext,
  passphrase: Secret,
  limits: { readonly least: number; readonly most: number },
  file: string,
): void {
  assertPassphrase(passphrase, limits, file);
  const length = charactersIn(passphrase);
  if (length >= COMFORTABLE_CHARACTERS) return;
  notice(ctx, `Warning: the passphrase for ${file} has ${length} characters; 12 or more resist guessing.`);
}

/** Runs command lines as a person types them, and shows them with what they print. */
import { spawn } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { ROOT } from './setup.mjs';

const COMMAND_DEADLINE_MS = 60_000;

/** A command that did not end as it should; `line`, `output` and `exitCode` say more. */
export class CommandFailed extends Error {
  constructor(line, output, exitCode) {
    super(`${line} ended with exit code ${exitCode}`);
    this.line = line;
    this.output = output;
    this.exitCode = exitCode;
  }
}

export class Shell {
  #environment;
  #directory;
  #transcript = [];
  #colours = process.stdout.isTTY && !process.env.NO_COLOR;

  /** Runs in `directory`, with bin/ first in PATH. */
  constructor(directory, environment) {
    this.#directory = directory;
    this.#environment = { ...environment, PATH: [join(ROOT, 'bin'), environment.PATH].join(delimiter) };
  }

  /** Everything shown so far, without colours. */
  get transcript() {
    return `${this.#transcript.join('\n').trim()}\n`;
  }

  title(text) {
    this.#show('');
    this.#show(`# ${text}`, '1;36');
  }

  note(text) {
    this.#show(text, '2');
  }

  /** Sets a variable for the commands that follow. */
  export(name, value) {
    this.#environment[name] = value;
    this.#show(`$ export ${name}=${/^[\w./:-]+$/.test(value) ? value : `'${value}'`}`, '1');
  }

  /** Shows a command line, runs it with sh and shows what it printed. Returns its standard output. */
  async run(line) {
    this.#show(`$ ${line}`, '1');
    const { output, stdout, exitCode } = await this.#execute(line);
    if (exitCode !== 0) throw new CommandFailed(line, output, exitCode);
    if (output.trim() !== '') this.#show(output.trimEnd());
    return stdout;
  }

  /** Runs a command line without showing it, for what the demonstration has to know; its output is JSON. */
  async ask(line) {
    const { output, stdout, exitCode } = await this.#execute(line);
    if (exitCode !== 0) throw new CommandFailed(line, output, exitCode);
    return JSON.parse(stdout);
  }

  #execute(line) {
    return new Promise((resolve, reject) => {
      const child = spawn('sh', ['-c', line], {
        cwd: this.#directory,
        env: this.#environment,
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: COMMAND_DEADLINE_MS,
      });
      const output = [];
      const stdout = [];
      child.stdout.on('data', (chunk) => {
        output.push(chunk);
        stdout.push(chunk);
      });
      child.stderr.on('data', (chunk) => output.push(chunk));
      child.on('error', reject);
      child.on('close', (code, signal) => {
        const text = (chunks) => Buffer.concat(chunks).toString('utf8');
        resolve({ output: text(output), stdout: text(stdout), exitCode: code ?? signal });
      });
    });
  }

  #show(text, colour) {
    this.#transcript.push(text);
    process.stdout.write(this.#colours && colour ? `\x1b[${colour}m${text}\x1b[0m\n` : `${text}\n`);
  }
}

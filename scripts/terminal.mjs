/**
 * What the scripts print and how they run other programs. Sentences for people go to standard error or output as given;
 * the output of a program that worked is not repeated, the output of one that failed is.
 */
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A step that cannot go on: one sentence, with the way out. Printed without a stack. */
export class SetupError extends Error {}

/** Says what is being done now; on standard error, so that standard output stays the result. */
export function say(sentence) {
  process.stderr.write(`keystead: ${sentence}\n`);
}

/** Runs main; a SetupError ends the process with its sentence and exit code 1, anything else with its stack. */
export async function runScript(main) {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    process.stderr.write(error instanceof SetupError ? `keystead: ${error.message}\n` : `${error?.stack ?? error}\n`);
    process.exitCode = 1;
  }
}

/** The path of a program in PATH, or undefined. */
export function which(program) {
  const places = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  return places.map((place) => join(place, program)).find(isExecutable);
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch (error) {
    if (['ENOENT', 'EACCES', 'ENOTDIR'].includes(error.code)) return false;
    throw error;
  }
}

/** Runs a program to its end and keeps its output. Returns { ok, output }. */
export function capture(program, args, options = {}) {
  const done = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
  });
  const output = `${done.stdout ?? ''}${done.stderr ?? ''}${done.error ? `${done.error.message}\n` : ''}`;
  return { ok: done.status === 0, output };
}

/** Runs a program in this terminal and returns its exit code; signals sent to us reach it first. */
export function foreground(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit', ...options });
    const pass = (signal) => child.kill(signal);
    process.on('SIGINT', pass).on('SIGTERM', pass);
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      process.off('SIGINT', pass).off('SIGTERM', pass);
      resolve(code ?? (signal === 'SIGINT' ? 130 : 143));
    });
  });
}

import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { KeysteadError, messageOf } from '../shared/errors.js';

/** What the process was started to do. */
export type AgentTask =
  | {
      readonly kind: 'serve';
      readonly unitDir: string;
      readonly socket: string;
      readonly sealKey: string;
      readonly lifeLine: boolean;
    }
  | { readonly kind: 'help' }
  | { readonly kind: 'zeroize'; readonly unitDir: string; readonly sealKey: string; readonly yes: boolean };

export const USAGE = `usage:
  keystead agent --unit-dir DIR --socket PATH --seal-key FILE [--life-line]
      the agent of one crypto unit; with --life-line it ends when its standard input does
  keystead agent zeroize --unit ID --data-dir DIR [--seal-key FILE] [--yes]
      wipes a crypto unit on its own host, when nobody can sign for it any more`;

/** Reads the command line, with or without the leading word 'agent'. Throws USAGE. */
export function readArguments(words: readonly string[]): AgentTask {
  const args = words[0] === 'agent' ? words.slice(1) : [...words];
  if (args.includes('--help') || args.includes('-h')) return { kind: 'help' };
  try {
    return args[0] === 'zeroize' ? zeroizeTask(args.slice(1)) : serveTask(args);
  } catch (cause) {
    throw new KeysteadError('USAGE', `${messageOf(cause)}\n${USAGE}`, { cause });
  }
}

const text = { type: 'string' } as const;
const flag = { type: 'boolean', default: false } as const;

function serveTask(args: string[]): AgentTask {
  const options = { 'unit-dir': text, socket: text, 'seal-key': text, 'life-line': flag };
  const { values } = parseArgs({ args, options, strict: true });
  const { 'unit-dir': unitDir, socket, 'seal-key': sealKey, 'life-line': lifeLine } = values;
  if (!unitDir || !socket || !sealKey) throw new Error('--unit-dir, --socket and --seal-key are needed');
  return { kind: 'serve', unitDir: resolve(unitDir), socket: resolve(socket), sealKey: resolve(sealKey), lifeLine };
}

function zeroizeTask(args: string[]): AgentTask {
  const options = { unit: text, 'data-dir': text, 'seal-key': text, yes: flag };
  const { values } = parseArgs({ args, options, strict: true });
  const { unit, 'data-dir': dataDir, 'seal-key': sealKey, yes } = values;
  if (!unit || !dataDir) throw new Error('--unit and --data-dir are needed');
  if (!/^[0-9a-f-]{36}$/.test(unit)) throw new Error(`'${unit}' is not the id of a crypto unit`);
  const unitDir = resolve(dataDir, 'units', unit);
  return { kind: 'zeroize', unitDir, sealKey: resolve(sealKey ?? join(dataDir, 'seal-key')), yes };
}

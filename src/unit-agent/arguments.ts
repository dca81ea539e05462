import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { KeysteadError, messageOf } from '../shared/errors.js';
import { parseAgentAddress } from './agent-address.js';
import type { Listening } from './listening.js';
import type { TokenChoice } from './own-unit.js';

/** What the process was started to do. */
export type AgentTask =
  | {
      readonly kind: 'serve';
      readonly unitDir: string;
      readonly listening: Listening;
      readonly sealKey: string;
      readonly lifeLine: boolean;
      /** Set for an agent that runs by itself: nobody wrote its unit.json, and nobody kills it when it hangs. */
      readonly alone: { readonly token: TokenChoice; readonly hangMs: number } | undefined;
    }
  | { readonly kind: 'help' }
  | {
      readonly kind: 'reseal';
      /** Every unit that is sealed to the key; none when `dataDir` says where they are. */
      readonly unitDirs: readonly string[];
      readonly dataDir: string | undefined;
      readonly sealKey: string;
    }
  | { readonly kind: 'zeroize'; readonly unitDir: string; readonly sealKey: string; readonly yes: boolean };

export const USAGE = `usage:
  keystead agent --unit-dir DIR --listen unix:PATH --seal-key FILE [token] [--hang-ms N]
  keystead agent --unit-dir DIR --listen tls:HOST:PORT --tls-cert FILE --tls-key FILE --tls-client-ca FILE
                 --seal-key FILE [token] [--hang-ms N]
      the agent of one crypto unit, by itself, for servers that find it through KEYSTEAD_AGENTS_FILE. DIR and the seal
      key are made when they are not there. SIGTERM ends it; SIGHUP reads the TLS files again, if any. It ends itself when its
      module hangs longer than N milliseconds (default 4000): let something start it again.
      token: none of these options makes a SoftHSM2 token in DIR; a prepared token is named by
        --module FILE (--token-serial SERIAL | --token-label LABEL) --pin-file FILE
        [--parameters TEXT] [--record-store token|file]
  keystead agent --unit-dir DIR --socket PATH --seal-key FILE [--life-line]
      as a server starts it; with --life-line it ends when its standard input does
  keystead agent zeroize (--unit ID --data-dir DIR | --unit-dir DIR) [--seal-key FILE] [--yes]
      wipes a crypto unit on its own host, when nobody can sign for it any more
  keystead agent reseal (--data-dir DIR | --unit-dir DIR … --seal-key FILE)
      puts a new seal key in the place of the one in FILE, for the units sealed to it; name them all. Their agents, or the
      server of DIR, are stopped meanwhile. If it was interrupted, run it again; agents open with both keys until then.`;

const DEFAULT_HANG_MS = 4_000;

/** Reads the command line, with or without the leading word 'agent'. Throws USAGE. */
export function readArguments(words: readonly string[]): AgentTask {
  const args = words[0] === 'agent' ? words.slice(1) : [...words];
  if (args.includes('--help') || args.includes('-h')) return { kind: 'help' };
  try {
    if (args[0] === 'zeroize') return zeroizeTask(args.slice(1));
    return args[0] === 'reseal' ? resealTask(args.slice(1)) : serveTask(args);
  } catch (cause) {
    throw new KeysteadError('USAGE', `${messageOf(cause)}\n${USAGE}`, { cause });
  }
}

const text = { type: 'string' } as const;
const flag = { type: 'boolean', default: false } as const;
const SERVE = {
  'unit-dir': text,
  socket: text,
  listen: text,
  'seal-key': text,
  'life-line': flag,
  'hang-ms': text,
  'tls-cert': text,
  'tls-key': text,
  'tls-client-ca': text,
  module: text,
  'token-serial': text,
  'token-label': text,
  parameters: text,
  'pin-file': text,
  'record-store': text,
} as const;
type ServeValues = { readonly [K in keyof typeof SERVE]?: string | boolean | undefined };

function serveTask(args: string[]): AgentTask {
  const { values } = parseArgs({ args, options: SERVE, strict: true });
  const { 'unit-dir': unitDir, socket, listen, 'seal-key': sealKey, 'life-line': lifeLine } = values;
  if (!unitDir || !sealKey || (socket === undefined) === (listen === undefined)) {
    throw new Error('--unit-dir, --seal-key and either --listen or --socket are needed');
  }
  const task = { kind: 'serve', unitDir: resolve(unitDir), sealKey: resolve(sealKey), lifeLine } as const;
  if (listen === undefined) {
    return { ...task, listening: { kind: 'private', path: resolve(socket ?? '') }, alone: undefined };
  }
  if (lifeLine) throw new Error('--life-line goes with --socket');
  const hangMs = Number(values['hang-ms'] ?? DEFAULT_HANG_MS);
  if (!Number.isInteger(hangMs) || hangMs < 1_000) throw new Error('--hang-ms is a number of at least 1000');
  return { ...task, listening: listeningOf(listen, values), alone: { token: tokenChoice(values), hangMs } };
}

function listeningOf(listen: string, values: ServeValues): Listening {
  const address = parseAgentAddress(listen);
  const [certFile, keyFile, clientCaFile] = [values['tls-cert'], values['tls-key'], values['tls-client-ca']].map(path);
  if (address.kind === 'unix') {
    if (certFile ?? keyFile ?? clientCaFile) throw new Error('the --tls-… options go with --listen tls:HOST:PORT');
    return address;
  }
  if (!certFile || !keyFile || !clientCaFile) {
    throw new Error('--listen tls: needs --tls-cert, --tls-key and --tls-client-ca');
  }
  return { ...address, tls: { certFile, keyFile, clientCaFile } };
}

function tokenChoice(values: ServeValues): TokenChoice {
  const recordStore = values['record-store'];
  if (recordStore !== undefined && recordStore !== 'token' && recordStore !== 'file') {
    throw new Error("--record-store is 'token' or 'file'");
  }
  const all = {
    module: path(values.module),
    serial: values['token-serial'],
    label: values['token-label'],
    parameters: values.parameters,
    pinFile: path(values['pin-file']),
    recordStore,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as TokenChoice;
}

function path(value: string | boolean | undefined): string | undefined {
  return typeof value === 'string' ? resolve(value) : undefined;
}

function zeroizeTask(args: string[]): AgentTask {
  const options = { unit: text, 'data-dir': text, 'unit-dir': text, 'seal-key': text, yes: flag };
  const { values } = parseArgs({ args, options, strict: true });
  const { unit, 'data-dir': dataDir, 'unit-dir': unitDir, 'seal-key': sealKey, yes } = values;
  if (unitDir) {
    if (unit || dataDir || !sealKey) throw new Error('--unit-dir needs --seal-key, and no --unit or --data-dir');
    return { kind: 'zeroize', unitDir: resolve(unitDir), sealKey: resolve(sealKey), yes };
  }
  if (!unit || !dataDir) throw new Error('--unit and --data-dir are needed, or --unit-dir');
  if (!/^[0-9a-f-]{36}$/.test(unit)) throw new Error(`'${unit}' is not the id of a crypto unit`);
  const inDataDir = resolve(dataDir, 'units', unit);
  return { kind: 'zeroize', unitDir: inDataDir, sealKey: resolve(sealKey ?? join(dataDir, 'seal-key')), yes };
}

function resealTask(args: string[]): AgentTask {
  const options = { 'data-dir': text, 'unit-dir': { type: 'string', multiple: true }, 'seal-key': text } as const;
  const { values } = parseArgs({ args, options, strict: true });
  const { 'data-dir': dataDir, 'unit-dir': unitDirs = [], 'seal-key': sealKey } = values;
  const task = { kind: 'reseal', unitDirs: unitDirs.map((one) => resolve(one)) } as const;
  if (dataDir !== undefined) {
    if (unitDirs.length > 0) throw new Error('--data-dir names all its units; leave out --unit-dir');
    return { ...task, dataDir: resolve(dataDir), sealKey: resolve(sealKey ?? join(dataDir, 'seal-key')) };
  }
  if (unitDirs.length === 0 || sealKey === undefined) throw new Error('--unit-dir and --seal-key are needed');
  return { ...task, dataDir: undefined, sealKey: resolve(sealKey) };
}

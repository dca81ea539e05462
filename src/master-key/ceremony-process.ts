import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { isErrorCode, KeysteadError } from '../shared/errors.js';
import type { Secret } from '../shared/secret.js';
import { parseStrictJson } from '../shared/strict-json.js';
import type { CeremonyAnswers, JobName, WireAnswer, WireRequestOf } from './ceremony-request.js';

/**
 * Starts the process in which master keys and shares are handled (ceremony.ts), one per job. This process never sees
 * them: it sends passphrases through the child's stdin and gets what may be public. The child has an empty environment
 * and no core dumps.
 */
export interface ShareFile {
  readonly file: string;
  readonly passphrase: Secret;
}
export type CeremonyRequest =
  | {
      readonly job: 'generate';
      readonly instance: string;
      /** 32 bytes from a claimed unit's signed receipt. */
      readonly unitRandom: Buffer;
      readonly name: string;
      readonly t: number;
      /** The files to make, one per share. */
      readonly shares: readonly ShareFile[];
      readonly scryptN?: number;
    }
  | {
      readonly job: 'import';
      readonly instance: string;
      readonly shares: readonly ShareFile[];
      readonly units: readonly { readonly id: string; readonly importer: Buffer; readonly oaep: 'SHA-1' | 'SHA-256' }[];
    }
  | { readonly job: 'verify'; readonly shares: readonly ShareFile[] }
  | {
      readonly job: 'reshare';
      readonly shares: readonly ShareFile[];
      readonly to: readonly ShareFile[];
      readonly t: number;
      readonly scryptN?: number;
    };

/** The compiled program of the child. Code that runs from the sources (tests) passes the one in dist instead. */
export const CEREMONY_ENTRY = new URL('./ceremony.js', import.meta.url);

const WITHOUT_CORE_DUMPS = 'ulimit -c 0; exec "$0" "$@"';

/**
 * Does one job in a process of its own. Throws what the job refused (KEYSHARE_INVALID, PASSPHRASE_WRONG, FILE_EXISTS,
 * …), INTERNAL when the process ended without an answer.
 */
export async function runCeremony<Request extends CeremonyRequest>(
  request: Request,
  entry: URL = CEREMONY_ENTRY,
): Promise<CeremonyAnswers[Request['job']]> {
  const command = ['-c', WITHOUT_CORE_DUMPS, process.execPath, fileURLToPath(entry)];
  const child = spawn('/bin/sh', command, { env: {}, stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stdin.on('error', () => undefined); // it ended early; how it ended says why
  child.stdin.end(JSON.stringify(onTheWire(request)));
  const end = await ended;
  const text = Buffer.concat(chunks);
  if (text.length === 0) {
    throw new KeysteadError(
      'INTERNAL',
      `the master-key process ended without an answer (${end}); look whether the key share files are there before you try again`,
    );
  }
  const reply = parseStrictJson(text, 'the answer of the master-key process', 'INTERNAL') as WireAnswer;
  if (reply.ok) return reply.answer as CeremonyAnswers[Request['job']];
  const { code, message } = reply.error;
  throw new KeysteadError(isErrorCode(code) ? code : 'INTERNAL', message);
}

function onTheWire(request: CeremonyRequest): WireRequestOf<JobName> {
  const files = (shares: readonly ShareFile[]) =>
    shares.map(({ file, passphrase }) => ({ file, passphrase: passphrase.bytes.toString('base64') }));
  const shares = files(request.shares);
  switch (request.job) {
    case 'generate':
      return { ...request, shares, unitRandom: request.unitRandom.toString('base64') };
    case 'import': {
      const units = request.units.map((unit) => ({ ...unit, importer: unit.importer.toString('base64') }));
      return { ...request, shares, units };
    }
    case 'verify':
      return { ...request, shares };
    case 'reshare':
      return { ...request, shares, to: files(request.to) };
  }
}

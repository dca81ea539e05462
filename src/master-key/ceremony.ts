import { inShape } from '../admins/command-args.js';
import { KeysteadError, needs } from '../shared/errors.js';
import { MAX_JSON_BYTES, parseStrictJson } from '../shared/strict-json.js';
import {
  type CeremonyAnswers,
  type JobName,
  RequestShape,
  type WireAnswer,
  type WireRequest,
} from './ceremony-request.js';
import { generate, importArgs, reshare, verify } from './jobs.js';

/**
 * The program of the ceremony process: one request on stdin, one answer on stdout, and the end. It lives for one job
 * because the Shamir package keeps state and leaves copies of the secret in strings, which only the end of a process
 * takes away. Any error ends it with exit code 70; the answer then says what was refused, and nothing secret.
 */
const EXIT_SOFTWARE = 70;

process.title = 'kp master-key ceremony';
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(EXIT_SOFTWARE));
process.on('SIGUSR1', () => undefined); // else it would open the inspector

function perform(request: WireRequest): Promise<CeremonyAnswers[JobName]> {
  switch (request.job) {
    case 'generate':
      return generate(request);
    case 'import':
      return importArgs(request);
    case 'verify':
      return verify(request);
    case 'reshare':
      return reshare(request);
  }
}

async function request(): Promise<WireRequest> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    length += chunk.length;
    needs(length <= MAX_JSON_BYTES, 'USAGE', 'the request is too long: too many key share files, or too long names');
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks);
  try {
    return inShape(RequestShape, parseStrictJson(text, 'the request', 'USAGE'), 'the request', 'USAGE');
  } finally {
    for (const bytes of [text, ...chunks]) bytes.fill(0);
  }
}

/** A message of Node's may quote a value, so of a fault only its kind is told. */
function refusalOf(thrown: unknown): WireAnswer {
  if (thrown instanceof KeysteadError) return { ok: false, error: { code: thrown.code, message: thrown.message } };
  const kind = thrown instanceof Error ? ('code' in thrown ? String(thrown.code) : thrown.name) : typeof thrown;
  return { ok: false, error: { code: 'INTERNAL', message: `the master-key process failed (${kind})` } };
}

async function answer(): Promise<WireAnswer> {
  try {
    return { ok: true, answer: await perform(await request()) };
  } catch (thrown) {
    return refusalOf(thrown);
  }
}

const reply = await answer();
process.stdout.write(JSON.stringify(reply), () => process.exit(reply.ok ? 0 : EXIT_SOFTWARE));

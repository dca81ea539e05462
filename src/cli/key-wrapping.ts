import { Argument, type Command } from 'commander';
import { type CliContext, printResult, usage } from './context.js';
import { KeyProtect } from './key-protect.js';
import { CIPHERTEXT, DATA_KEY, FORMS, MaterialReader } from './material.js';
import { type KeyRingOptions, keyLeaf, splitList } from './options.js';
import { listing } from './table.js';

interface WrapOptions extends KeyRingOptions {
  readonly plaintext?: string;
  readonly aad?: string;
}
interface UnwrapOptions extends KeyRingOptions {
  readonly ciphertext?: string;
  readonly aad?: string;
}

const AAD = 'additional data, comma separated, which unwrapping must repeat';

export function addKeyWrapping(key: Command, ctx: CliContext): void {
  keyLeaf(
    key,
    'wrap',
    'Wrap a data key under a root key; without --plaintext the crypto unit makes the data key',
    'kp key wrap payments -p raw:data.key -a tenant-7',
    'kp key wrap payments -o json | jq -r .Ciphertext',
  )
    .option('-p, --plaintext <data-key>', `the data key to wrap: ${FORMS}`)
    .option('-a, --aad <list>', AAD)
    .action((id: string, options: WrapOptions) => wrap(ctx, id, options));

  opening(key, 'unwrap', 'Unwrap a data key', 'kp key unwrap payments "$CIPHERTEXT" -a tenant-7').action(
    (id: string, ciphertext: string | undefined, options: UnwrapOptions) => unwrap(ctx, id, ciphertext, options),
  );
  opening(
    key,
    'rewrap',
    'Wrap a data key anew under the latest version of the root key; nobody sees the data key',
    'kp key rewrap payments @old.ciphertext -o json',
  ).action((id: string, ciphertext: string | undefined, options: UnwrapOptions) =>
    rewrap(ctx, id, ciphertext, options),
  );
}

function opening(key: Command, name: string, summary: string, example: string): Command {
  return keyLeaf(key, name, summary, example)
    .addArgument(new Argument('[ciphertext]', 'what kp key wrap printed; base64 or @FILE'))
    .option('-c, --ciphertext <ciphertext>', 'the same')
    .option('-a, --aad <list>', AAD);
}

async function wrap(ctx: CliContext, id: string, { plaintext, aad, ...options }: WrapOptions): Promise<void> {
  const body = { ...(plaintext !== undefined && { plaintext: await dataKey(ctx, plaintext) }), ...aadOf(aad) };
  const answer = await (await KeyProtect.open(ctx, options)).wrap(id, body);
  const made = answer.plaintext === undefined ? {} : { Plaintext: answer.plaintext };
  const result = { ...made, Ciphertext: answer.ciphertext };
  printResult(ctx, result, () => listing(Object.entries(result)));
}

async function unwrap(ctx: CliContext, id: string, word: string | undefined, options: UnwrapOptions): Promise<void> {
  const body = await ciphertextOf(ctx, word, options);
  const answer = await (await KeyProtect.open(ctx, options)).unwrap(id, body);
  const fresh = answer.ciphertext ?? '';
  printResult(ctx, { Plaintext: answer.plaintext, 'Rewrapped Plaintext': fresh }, () =>
    listing([['Plaintext', answer.plaintext], ...(fresh === '' ? [] : ([['Rewrapped Plaintext', fresh]] as const))]),
  );
}

async function rewrap(ctx: CliContext, id: string, word: string | undefined, options: UnwrapOptions): Promise<void> {
  const body = await ciphertextOf(ctx, word, options);
  const { ciphertext } = await (await KeyProtect.open(ctx, options)).rewrap(id, body);
  printResult(ctx, { Ciphertext: ciphertext }, () => listing([['Ciphertext', ciphertext]]));
}

async function dataKey(ctx: CliContext, text: string): Promise<string> {
  using key = await new MaterialReader(ctx).read(text, DATA_KEY, '-p');
  return key.bytes.toString('base64');
}

async function ciphertextOf(ctx: CliContext, word: string | undefined, { ciphertext, aad }: UnwrapOptions) {
  if ((word === undefined) === (ciphertext === undefined)) throw usage('give the ciphertext, once');
  const { bytes } = await new MaterialReader(ctx).read(word ?? ciphertext ?? '', CIPHERTEXT, 'CIPHERTEXT');
  return { ciphertext: bytes.toString('base64'), ...aadOf(aad) };
}

const aadOf = (aad: string | undefined) => (aad === undefined ? {} : { aad: splitList(aad) });

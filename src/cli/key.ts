import type { Command } from 'commander';
import { type CliContext, printResult, usage } from './context.js';
import { type CommonOptions, group, leaf, splitList, toBase64, toUuid } from './options.js';
import { openInstance } from './target.js';

interface WrapOptions extends CommonOptions {
  readonly plaintext?: string;
  readonly aad?: string;
}
interface UnwrapOptions extends CommonOptions {
  readonly ciphertext: string;
  readonly aad?: string;
}

const KEY = '6e0aead3-9d44-4c92-a4c4-f7a1ab415420';
const AAD = 'additional data, comma separated, which unwrapping must repeat';

export function addKey(program: Command, ctx: CliContext): void {
  const key = group(program, 'key', 'Create root keys, and wrap and unwrap with them', 'kp key create payments-root');

  leaf(key, 'create', 'Create a root key in the crypto units', 'kp key create payments-root')
    .argument('<name>', 'name of the key, 2 to 90 characters')
    .action((name: string, options: CommonOptions) => create(ctx, name, options));

  leaf(
    key,
    'wrap',
    'Wrap a data key under a root key; without --plaintext the crypto unit makes the data key',
    `kp key wrap ${KEY} -p "$(head -c 32 /dev/urandom | base64 -w0)" --aad tenant-7`,
  )
    .argument('<id>', 'the root key', toUuid)
    .option('-p, --plaintext <base64>', 'the data key to wrap', toBase64)
    .option('--aad <list>', AAD)
    .action((id: string, options: WrapOptions) => wrap(ctx, id, options));

  leaf(key, 'unwrap', 'Unwrap a data key', `kp key unwrap ${KEY} -c "$CIPHERTEXT" --aad tenant-7`)
    .argument('<id>', 'the root key', toUuid)
    .requiredOption('-c, --ciphertext <base64>', 'what kp key wrap printed', toBase64)
    .option('--aad <list>', AAD)
    .action((id: string, options: UnwrapOptions) => unwrap(ctx, id, options));
}

async function create(ctx: CliContext, name: string, options: CommonOptions): Promise<void> {
  if (name.trim() === '') throw usage('a key needs a name');
  const api = await openInstance(ctx, options);
  const [key] = (await api.createKey(name)).resources;
  printResult(ctx, key, () => `OK\nKey ${name} has the id ${key?.id}.`);
}

async function wrap(ctx: CliContext, id: string, { plaintext, aad, ...options }: WrapOptions): Promise<void> {
  const api = await openInstance(ctx, options);
  const answer = await api.useKey(id, 'wrap', { ...(plaintext !== undefined && { plaintext }), ...aadOf(aad) });
  printResult(ctx, answer, () =>
    [
      ...(answer.plaintext === undefined ? [] : [`Plaintext    ${answer.plaintext}`]),
      `Ciphertext   ${answer.ciphertext}`,
    ].join('\n'),
  );
}

async function unwrap(ctx: CliContext, id: string, { ciphertext, aad, ...options }: UnwrapOptions): Promise<void> {
  const api = await openInstance(ctx, options);
  const answer = await api.useKey(id, 'unwrap', { ciphertext, ...aadOf(aad) });
  printResult(ctx, answer, () => `Plaintext    ${answer.plaintext}`);
}

const aadOf = (aad: string | undefined) => (aad === undefined ? {} : { aad: splitList(aad) });

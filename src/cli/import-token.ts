import type { Command } from 'commander';
import { type CliContext, notice, printResult } from './context.js';
import { readText } from './files.js';
import { encryptKey, encryptNonce, encryptNonceCbc, type OaepHash, readImportKey } from './import-cipher.js';
import { KeyProtect } from './key-protect.js';
import { FORMS, MaterialReader, NONCE, ROOT_KEY } from './material.js';
import { type CommonOptions, group, hashOption, leaf, toNumber } from './options.js';
import { table } from './table.js';

interface CreateOptions extends CommonOptions {
  readonly expiration?: number;
  readonly maxRetrievals?: number;
}
interface KeyEncryptOptions {
  readonly key: string;
  readonly pubkey: string;
  readonly hash: OaepHash;
}
interface NonceEncryptOptions {
  readonly key: string;
  readonly nonce: string;
  readonly cbc?: boolean;
}

const KEY = `the key to import, 16, 24 or 32 bytes: ${FORMS}`;

export function addImportToken(program: Command, ctx: CliContext): void {
  const token = group(
    program,
    'import-token',
    'Bring a root key here encrypted: only the crypto units can open it',
    'kp import-token create',
  );
  leaf(token, 'create', 'Make an import token; the one there was before is void', 'kp import-token create -e 1200 -m 1')
    .option('-e, --expiration <seconds>', 'how long it lives, 300 to 86400; else 600', toNumber(300, 86_400))
    .option('-m, --max-retrievals <number>', 'how often it can be shown, 1 to 500; else 1', toNumber(1, 500))
    .action((options: CreateOptions) => create(ctx, options));

  leaf(
    token,
    'show',
    'Retrieve the import token, always as JSON: its nonce and its public key',
    'kp import-token show > token.json',
  ).action((options: CommonOptions) => show(ctx, options));

  leaf(
    token,
    'key-encrypt',
    'Encrypt a key for the import token; nothing is contacted',
    'kp import-token key-encrypt -k raw:PlainTextKey.bin -p "$(jq -r .payload token.json)"',
    'kp import-token key-encrypt -k env:KEY_MATERIAL -p @PublicKey.pem -o json | jq -r .encryptedKey',
  )
    .requiredOption('-k, --key <key>', KEY)
    .requiredOption('-p, --pubkey <key>', "the payload of 'kp import-token show', or @FILE with it or with PEM")
    .addOption(hashOption('-a, --hash <algorithm>', 'of OAEP'))
    .action((options: KeyEncryptOptions) => keyEncrypt(ctx, options));

  leaf(
    token,
    'nonce-encrypt',
    'Encrypt the nonce of the import token under the key to import; nothing is contacted',
    'kp import-token nonce-encrypt -k raw:PlainTextKey.bin -n "$(jq -r .nonce token.json)"',
    'kp import-token nonce-encrypt -k env:KEY_MATERIAL -n "$NONCE" -o json',
  )
    .requiredOption('-k, --key <key>', KEY)
    .requiredOption('-n, --nonce <nonce>', "the nonce of 'kp import-token show', 12 bytes in base64, or @FILE")
    .option('-c, --cbc', "AES-CBC instead of AES-GCM, for IBM's Hyper Protect Crypto Services only")
    .action((options: NonceEncryptOptions) => nonceEncrypt(ctx, options));
}

async function create(ctx: CliContext, options: CreateOptions): Promise<void> {
  const { expiration, maxRetrievals } = options;
  const token = await (await KeyProtect.open(ctx, options)).createImportToken({
    ...(expiration !== undefined && { expiration }),
    ...(maxRetrievals !== undefined && { maxAllowedRetrievals: maxRetrievals }),
  });
  const { creationDate, expirationDate, maxAllowedRetrievals, remainingRetrievals } = token;
  const row = [creationDate, expirationDate, String(maxAllowedRetrievals), String(remainingRetrievals)];
  printResult(ctx, token, () => table(['Created', 'Expires', 'Max Retrievals', 'Remaining Retrievals'], [row]));
}

async function show(ctx: CliContext, options: CommonOptions): Promise<void> {
  const { nonce, payload } = await (await KeyProtect.open(ctx, options)).importToken();
  ctx.out(JSON.stringify({ nonce, payload }, null, 2));
}

async function keyEncrypt(ctx: CliContext, { key, pubkey, hash }: KeyEncryptOptions): Promise<void> {
  const text = pubkey.startsWith('@') ? await readText(pubkey.slice(1), 'public key file') : pubkey;
  const importKey = readImportKey(text);
  using material = await new MaterialReader(ctx).read(key, ROOT_KEY, '-k');
  const encryptedKey = encryptKey(material.bytes, importKey, hash).toString('base64');
  printResult(ctx, { encryptedKey }, () => table(['Encrypted Key'], [[encryptedKey]]));
}

async function nonceEncrypt(ctx: CliContext, { key, nonce, cbc }: NonceEncryptOptions): Promise<void> {
  const reader = new MaterialReader(ctx);
  using material = await reader.read(key, ROOT_KEY, '-k');
  const { bytes } = await reader.read(nonce, NONCE, '-n');
  const made = cbc ? encryptNonceCbc(material.bytes, bytes) : encryptNonce(material.bytes, bytes);
  const result = { encryptedNonce: made.encryptedNonce.toString('base64'), iv: made.iv.toString('base64') };
  printResult(ctx, result, () => table(['Encrypted Nonce', 'IV'], [[result.encryptedNonce, result.iv]]));
  if (cbc) notice(ctx, 'Keystead takes nonces in AES-GCM alone; leave out --cbc to import the key here.');
}

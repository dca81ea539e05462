import type { Command } from 'commander';
import { type CliContext, usage } from './context.js';
import type { OaepHash } from './import-cipher.js';
import { ENCRYPTED_KEY, ENCRYPTED_NONCE, FORMS, IV, MaterialReader, ROOT_KEY, STANDARD_KEY } from './material.js';
import { hashOption } from './options.js';

/** Options of the commands that take key material: create, rotate and restore. */
export interface MaterialOptions {
  readonly keyMaterial?: string;
  readonly encryptedNonce?: string;
  readonly iv?: string;
  readonly hash: OaepHash;
}

/** Adds -k, -n, -v and --hash. */
export function materialOptions(command: Command): Command {
  return command
    .option('-k, --key-material <material>', `the key, or with -n what kp import-token key-encrypt printed: ${FORMS}`)
    .option('-n, --encrypted-nonce <nonce>', 'what kp import-token nonce-encrypt printed: the key comes encrypted')
    .option('-v, --iv <iv>', 'the IV that it printed beside it')
    .addOption(hashOption('--hash <algorithm>', 'the hash that key-encrypt used'));
}

const OAEP = { SHA256: 'RSAES_OAEP_SHA_256', SHA1: 'RSAES_OAEP_SHA_1' } as const;

/** The members of a request that bring key material; none when there is no -k. USAGE when -k, -n and -v do not fit together. */
export async function readMaterial(ctx: CliContext, options: MaterialOptions, standard: boolean): Promise<object> {
  const { keyMaterial, encryptedNonce, iv, hash } = options;
  const reader = new MaterialReader(ctx);
  if (encryptedNonce === undefined && iv === undefined) {
    if (keyMaterial === undefined) return {};
    using key = await reader.read(keyMaterial, standard ? STANDARD_KEY : ROOT_KEY, '-k');
    return { payload: key.bytes.toString('base64') };
  }
  if (keyMaterial === undefined || encryptedNonce === undefined || iv === undefined)
    throw usage(
      'a key that comes encrypted needs all of -k, -n and -v',
      'kp import-token nonce-encrypt -k @KEY -n "$NONCE"',
    );
  if (standard)
    throw usage('only root keys come encrypted for an import token; leave out -n and -v, or --standard-key');
  const payload = await reader.read(keyMaterial, ENCRYPTED_KEY, '-k');
  const nonce = await reader.read(encryptedNonce, ENCRYPTED_NONCE, '-n');
  const vector = await reader.read(iv, IV, '-v');
  return {
    payload: payload.bytes.toString('base64'),
    encryptedNonce: nonce.bytes.toString('base64'),
    iv: vector.bytes.toString('base64'),
    encryptionAlgorithm: OAEP[hash],
  };
}

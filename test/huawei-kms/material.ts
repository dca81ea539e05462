import {
  constants,
  createCipheriv,
  generateKeyPairSync,
  type KeyObject,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import type { HuaweiWorld } from './huawei-world.js';

export const WRAPPING = {
  RSAES_PKCS1_V1_5: { padding: constants.RSA_PKCS1_PADDING },
  RSAES_OAEP_SHA_1: { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' },
  RSAES_OAEP_SHA_256: { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
} as const;
export type Wrapping = keyof typeof WRAPPING;

/** What get-parameters-for-import answers, as far as an import needs it. */
export interface Parameters {
  readonly import_token: string;
  readonly public_key: string;
}

export function parametersFor(w: HuaweiWorld, keyId: string, algorithm: Wrapping = 'RSAES_OAEP_SHA_256') {
  return w.ok('get-parameters-for-import', { key_id: keyId, wrapping_algorithm: algorithm });
}

/** Bytes encrypted for an import, in base64. */
export function wrapped({ public_key }: Parameters, bytes: Buffer, algorithm: Wrapping = 'RSAES_OAEP_SHA_256'): string {
  const key = { key: Buffer.from(public_key, 'base64'), format: 'der', type: 'spki' } as const;
  return publicEncrypt({ ...key, ...WRAPPING[algorithm] }, bytes).toString('base64');
}

/** The body of an import of symmetric material. */
export function importBody(keyId: string, given: Parameters, bytes: Buffer, algorithm?: Wrapping) {
  return {
    key_id: keyId,
    import_token: given.import_token,
    encrypted_key_material: wrapped(given, bytes, algorithm),
  };
}

/** AES key wrap with padding (RFC 5649), as `openssl enc -id-aes256-wrap-pad -iv A65959A6` does. */
export function keyWrapped(temporary: Buffer, bytes: Buffer): Buffer {
  const name = `id-aes${temporary.length * 8}-wrap-pad`;
  const cipher = createCipheriv(name, temporary, Buffer.from('A65959A6', 'hex'));
  return Buffer.concat([cipher.update(bytes), cipher.final()]);
}

/** The body of an import of a private key under a temporary key. */
export function privateImportBody(
  keyId: string,
  given: Parameters,
  privateKey: Buffer | KeyObject,
  temporary = randomBytes(32),
) {
  const der = Buffer.isBuffer(privateKey) ? privateKey : privateKey.export({ type: 'pkcs8', format: 'der' });
  const kek = [16, 24, 32].includes(temporary.length) ? temporary : randomBytes(32);
  return {
    ...importBody(keyId, given, temporary),
    encrypted_privatekey: keyWrapped(kek, der).toString('base64'),
  };
}

export type Spec = 'RSA_2048' | 'RSA_3072' | 'RSA_4096' | 'EC_P256' | 'EC_P384';

export function newPair(spec: Spec): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  const [kind, size = ''] = spec.split('_');
  if (kind === 'RSA') return generateKeyPairSync('rsa', { modulusLength: Number(size) });
  return generateKeyPairSync('ec', { namedCurve: size.replace('P', 'P-') });
}

/** A new external key with this material, enabled. */
export async function imported(w: HuaweiWorld, bytes: Buffer, more: object = {}): Promise<string> {
  const keyId = await w.newCmk({ origin: 'external' });
  await w.ok('import-key-material', { ...importBody(keyId, await parametersFor(w, keyId), bytes), ...more });
  return keyId;
}

/** A new external key of the spec with this private key, enabled. */
export async function importedPair(w: HuaweiWorld, spec: Spec, pair = newPair(spec)) {
  const keyId = await w.newCmk({ origin: 'external', key_spec: spec });
  await w.ok('import-key-material', privateImportBody(keyId, await parametersFor(w, keyId), pair.privateKey));
  return { keyId, ...pair };
}

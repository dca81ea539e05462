import { randomBytes } from 'node:crypto';
import { Secret } from '../shared/secret.js';
import type { ImportPairs } from './import-pairs.js';
import type { KeyImport } from './key-import.js';
import { AES_256_BYTES, KW_OVERHEAD_BYTES, type OaepHash } from './mechanisms.js';
import { decodeOaepMaterial } from './oaep-decode.js';
import { assertPairWorks, unwrapKeyInside } from './oaep-import.js';
import { decodePkcs1Key } from './pkcs1-decode.js';
import { openKwp, type ReadPrivateKey, readPrivateKey } from './private-key.js';
import { inRange, rawRsa } from './raw-rsa.js';
import type { RsaPair } from './rsa-oaep.js';
import type { SealedMaterial, WrappingAlgorithm } from './sealed-key.js';
import type { PrivateKeyAlgorithm } from './signing-algorithms.js';
import type { SigningKeys } from './signing-keys.js';
import type { Token } from './token.js';

/** Why material is refused. Only what no padding oracle can be made of is told apart from IMPORT_INVALID. */
export type MaterialRefusal = 'IMPORT_INVALID' | 'MATERIAL_LENGTH' | 'TEMPORARY_KEY_LENGTH' | 'PRIVATE_KEY_INVALID';

/** Material under mk-wrap; when it is refused, another key in its place, or nothing. */
export interface ImportedMaterial {
  readonly blob: Buffer;
  readonly refusal: MaterialRefusal | null;
}
export interface ImportedPrivateKey extends ImportedMaterial {
  /** SPKI DER. */
  readonly publicKey: Buffer;
}

const OAEP_OF: Record<WrappingAlgorithm, OaepHash | undefined> = {
  RSAES_PKCS1_V1_5: undefined,
  RSAES_OAEP_SHA_1: 'SHA-1',
  RSAES_OAEP_SHA_256: 'SHA-256',
};

const MATERIAL_BYTES = [AES_256_BYTES];
/** AES-128 or AES-256. */
const TEMPORARY_KEY_BYTES = [16, 32];
const NOTHING = Buffer.alloc(0);

/**
 * Brings the material of external keys under mk-wrap. What does not open is not told apart, and costs the same work up to
 * the point where a client shows that it knows the message: by a good OAEP decode, or by a private key that opens under
 * it. PKCS#1 v1.5 shows nothing of the kind, so with it a wrong length is one of the things that do not open.
 */
export class MaterialImport {
  constructor(
    private readonly token: Token,
    private readonly pairs: ImportPairs,
    private readonly keys: KeyImport,
    private readonly signingKeys: SigningKeys,
  ) {}

  /** An AES-256 key. The caller keeps `sealed` until this settles: the thread pool reads out of its buffers. */
  async openKey(mkWrapId: Buffer, pairBlob: Buffer, sealed: SealedMaterial): Promise<ImportedMaterial> {
    const hash = OAEP_OF[sealed.algorithm];
    const pair = this.pairs.of(mkWrapId, pairBlob);
    if (this.pairs.inside && hash) return this.#openKeyInside(mkWrapId, pair, hash, sealed.wrappedKey);
    const { secret, refusal } = await this.#decrypt(mkWrapId, pairBlob, sealed, MATERIAL_BYTES, 'MATERIAL_LENGTH');
    using key = secret;
    return { blob: this.keys.wrapMaterial(mkWrapId, key.bytes), refusal };
  }

  /** A private key of this algorithm; it passes through the memory of this process. */
  async openPrivateKey(
    mkWrapId: Buffer,
    pairBlob: Buffer,
    algorithm: PrivateKeyAlgorithm,
    sealed: SealedMaterial,
  ): Promise<ImportedPrivateKey> {
    const lengths = TEMPORARY_KEY_BYTES;
    const { secret, refusal } = await this.#decrypt(mkWrapId, pairBlob, sealed, lengths, 'TEMPORARY_KEY_LENGTH');
    using temporaryKey = secret;
    using opened = openKwp(temporaryKey.bytes, sealed.privateKey ?? NOTHING) ?? null;
    const isOaep = OAEP_OF[sealed.algorithm] !== undefined;
    const unopened = isOaep ? 'PRIVATE_KEY_INVALID' : 'IMPORT_INVALID';
    if (refusal || !opened) return refused(refusal ?? unopened);
    const read = readPrivateKey(algorithm, opened.bytes);
    return read ? this.#wrap(mkWrapId, algorithm, read) : refused('PRIVATE_KEY_INVALID');
  }

  #wrap(mkWrapId: Buffer, algorithm: PrivateKeyAlgorithm, read: ReadPrivateKey): ImportedPrivateKey {
    using _pkcs8 = read.pkcs8;
    const blob = this.signingKeys.wrap(mkWrapId, algorithm, read);
    return { blob, publicKey: read.publicKey, refusal: null };
  }

  /** Raw RSA in the token, the padding in this process: a key of one of the lengths, or a random one and why. */
  async #decrypt(
    mkWrapId: Buffer,
    pairBlob: Buffer,
    { algorithm, wrappedKey }: SealedMaterial,
    lengths: readonly number[],
    wrongLength: MaterialRefusal,
  ): Promise<{ secret: Secret; refusal: MaterialRefusal | null }> {
    const pair = this.pairs.forRawRsa(mkWrapId, pairBlob);
    const { input, fits } = inRange(pair, wrappedKey);
    using encoded = new Secret(await rawRsa(this.token, pair, input));
    using substitute = new Secret(randomBytes(AES_256_BYTES));
    const hash = OAEP_OF[algorithm];
    if (!hash) {
      const decoded = decodePkcs1Key(encoded.bytes, lengths, substitute.bytes);
      return { secret: new Secret(decoded.key), refusal: fits && decoded.fits ? null : 'IMPORT_INVALID' };
    }
    const decoded = decodeOaepMaterial(encoded.bytes, hash, lengths, substitute.bytes);
    const refusal = decoded.fits ? null : wrongLength;
    return { secret: new Secret(decoded.key), refusal: fits && decoded.valid ? refusal : 'IMPORT_INVALID' };
  }

  /** The key never leaves the token. */
  #openKeyInside(mkWrapId: Buffer, pair: RsaPair, hash: OaepHash, wrappedKey: Buffer): ImportedMaterial {
    const { input, fits } = inRange(pair, wrappedKey);
    this.token.sessionObjectsMade += 2;
    const { key, valid } = this.token.atGuard('opening key material', (guard) =>
      unwrapKeyInside(guard, pair, hash, input),
    );
    const blob = this.keys.wrapAndDiscard(mkWrapId, key);
    if (!valid) {
      this.token.sessionObjectsMade += 1;
      this.token.atGuard('proving an import pair', (guard) => assertPairWorks(guard, pair, hash));
    }
    const isRight = blob.length === AES_256_BYTES + KW_OVERHEAD_BYTES;
    return { blob, refusal: valid && fits ? (isRight ? null : 'MATERIAL_LENGTH') : 'IMPORT_INVALID' };
  }
}

function refused(refusal: MaterialRefusal): ImportedPrivateKey {
  return { blob: NOTHING, publicKey: NOTHING, refusal };
}

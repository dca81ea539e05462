import type { Handle } from 'pkcs11js';
import { type ErrorCode, KeysteadError } from '../shared/errors.js';
import { openAesGcm, sealAesGcm } from './aes-gcm.js';
import { unwrapAesKw } from './aes-kw.js';
import { Canary } from './canary.js';
import { ckrClass } from './ckr.js';
import { hmacSha256 } from './hmac.js';
import { type ImportPair, ImportPairs } from './import-pairs.js';
import { type Imported, KeyImport } from './key-import.js';
import type { ImportPairBits } from './mechanisms.js';
import { TokenRandom } from './random.js';
import { ResidentKeys } from './resident-keys.js';
import { RootKeys } from './root-keys.js';
import type { RsaPair } from './rsa-oaep.js';
import type { SealedKey } from './sealed-key.js';
import { checkKey } from './templates.js';
import type { Token } from './token.js';

/**
 * The operations of daily use, over handles that are cached for one generation of the token. Two rules hold for all:
 * 1. A cached handle may have died: everything cached is dropped and the call made once more.
 * 2. A module may say the same of bad input and of itself being broken: before input is blamed the unit sings a canary.
 */
export class CryptoCore {
  readonly #resident: ResidentKeys;
  readonly #rootKeys: RootKeys;
  readonly #canary: Canary;
  readonly #pairs: ImportPairs;
  readonly #import: KeyImport;
  readonly #random = new TokenRandom();

  constructor(private readonly token: Token) {
    this.#resident = new ResidentKeys(token);
    this.#rootKeys = new RootKeys(token, this.#resident);
    this.#canary = new Canary(token, this.#resident, this.#rootKeys, this.#random);
    this.#pairs = new ImportPairs(token, this.#resident);
    this.#import = new KeyImport(token, this.#resident, this.#pairs);
  }

  random(length: number): Buffer {
    return this.token.pool.use('drawing random bytes', (session) => this.#random.next(session, length));
  }

  hmac(id: Buffer, data: Buffer): Buffer {
    return this.#freshHandles(() => {
      const key = this.#resident.of(id);
      return this.token.pool.use('computing an HMAC', (session) => hmacSha256(session, key, data));
    });
  }

  generateRootKey(mkWrapId: Buffer): Buffer {
    return this.#freshHandles(() => this.#rootKeys.generate(mkWrapId));
  }

  importRootKey(mkWrapId: Buffer, material: Buffer): Buffer {
    return this.#freshHandles(() => this.#import.wrapMaterial(mkWrapId, material));
  }

  async generateImportPair(bits: ImportPairBits): Promise<ImportPair> {
    const pair = await this.#pairs.generate(bits);
    return { ...pair, wrapUnder: (mkWrapId) => this.#freshHandles(() => pair.wrapUnder(mkWrapId)) };
  }

  importPairPublicKey(mkWrapId: Buffer, blob: Buffer): Buffer {
    const { publicKey } = this.#freshHandles(() => this.#importPair(mkWrapId, blob));
    return publicKey.export({ type: 'spki', format: 'der' });
  }

  async importWithPair(mkWrapId: Buffer, pairBlob: Buffer, sealed: SealedKey): Promise<Imported> {
    const attempt = () => {
      this.#freshHandles(() => this.#importPair(mkWrapId, pairBlob));
      return this.#import.open(mkWrapId, pairBlob, sealed);
    };
    try {
      return await attempt();
    } catch (cause) {
      if (ckrClass(cause) !== 'handle') throw cause;
      this.forget();
      return attempt();
    }
  }

  encrypt(mkWrapId: Buffer, blob: Buffer, plaintext: Buffer, aad: Buffer): Buffer {
    return this.#freshHandles(() => {
      const key = this.#rootKey(mkWrapId, blob);
      return this.token.pool.use('encrypting', (session) => sealAesGcm(session, key, plaintext, aad));
    });
  }

  decrypt(mkWrapId: Buffer, blob: Buffer, sealed: Buffer, aad: Buffer): Buffer {
    return this.#freshHandles(() => {
      const key = this.#rootKey(mkWrapId, blob);
      return this.#blame(
        'CIPHERTEXT_INVALID',
        'the ciphertext was not made by this key, or it or its context was changed',
        () => this.token.pool.use('decrypting', (session) => openAesGcm(session, key, sealed, aad)),
        () => this.#canary.proveKey(key),
      );
    });
  }

  checkAnswer(mkWrapId: Buffer, checkBlob: Buffer, input: Buffer): Buffer {
    const mkWrap = this.#resident.onToken(mkWrapId);
    const key = this.#blame(
      'MASTER_KEY_MISMATCH',
      'the check blob does not open under the master key of this unit: it belongs to another one',
      () => this.token.make('opening the check blob', (guard) => unwrapAesKw(guard, mkWrap, checkBlob, checkKey())),
      () => this.#canary.sing(mkWrapId),
    );
    try {
      return this.token.pool.use('answering the check', (session) => hmacSha256(session, key, input));
    } finally {
      this.token.discard(key);
    }
  }

  canary(mkWrapId: Buffer | null): void {
    this.#freshHandles(() => this.#canary.sing(mkWrapId));
  }

  /** Drops every cached handle; the next use finds its keys on the token again. */
  forget(): void {
    this.#rootKeys.forget();
    this.#pairs.forget();
    this.#resident.forget();
  }

  #rootKey(mkWrapId: Buffer, blob: Buffer): Handle {
    return this.#blame(
      'KEY_ROW_INVALID',
      'the wrapped root key does not open under the master key of this unit',
      () => this.#rootKeys.of(mkWrapId, blob),
      () => this.#canary.sing(mkWrapId),
    );
  }

  #importPair(mkWrapId: Buffer, blob: Buffer): RsaPair {
    return this.#blame(
      'KEY_ROW_INVALID',
      'the wrapped import pair does not open under the master key of this unit',
      () => this.#pairs.of(mkWrapId, blob),
      () => this.#canary.sing(mkWrapId),
    );
  }

  /** Runs work whose failure may be the input's fault; then, once the proof passed, it is refused with this code. */
  #blame<T>(code: ErrorCode, sentence: string, work: () => T, prove: () => void): T {
    try {
      return work();
    } catch (cause) {
      const kind = ckrClass(cause);
      if (kind !== 'data' && kind !== 'ambiguous') throw cause;
      if (kind === 'ambiguous') prove();
      throw new KeysteadError(code, sentence, { cause });
    }
  }

  #freshHandles<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      if (ckrClass(cause) !== 'handle') throw cause;
      this.forget();
      return work();
    }
  }
}

import type { Handle } from 'pkcs11js';
import { openAesGcm, sealAesGcm } from './aes-gcm.js';
import { unwrapAesKw } from './aes-kw.js';
import { CallRules } from './call-rules.js';
import { Canary } from './canary.js';
import { ExternalKeys } from './external-keys.js';
import { hmacSha256 } from './hmac.js';
import { type ImportPair, ImportPairs } from './import-pairs.js';
import { type Imported, KeyImport } from './key-import.js';
import { Kwp } from './kwp.js';
import { MaterialImport } from './material-import.js';
import type { ImportPairBits } from './mechanisms.js';
import { TokenRandom } from './random.js';
import { ResidentKeys } from './resident-keys.js';
import { RootKeys } from './root-keys.js';
import type { RsaPair } from './rsa-oaep.js';
import type { SealedKey } from './sealed-key.js';
import { SigningKeys } from './signing-keys.js';
import { checkKey } from './templates.js';
import type { Token } from './token.js';

/** The operations of daily use, over handles that are cached for one generation of the token, under the rules of CallRules. */
export class CryptoCore {
  readonly #resident: ResidentKeys;
  readonly #rootKeys: RootKeys;
  readonly #canary: Canary;
  readonly #pairs: ImportPairs;
  readonly #import: KeyImport;
  readonly #random = new TokenRandom();
  readonly #rules = new CallRules(() => this.forget());
  readonly external: ExternalKeys;

  constructor(private readonly token: Token) {
    this.#resident = new ResidentKeys(token);
    this.#rootKeys = new RootKeys(token, this.#resident);
    this.#canary = new Canary(token, this.#resident, this.#rootKeys, this.#random);
    const kwp = new Kwp(token);
    this.#pairs = new ImportPairs(token, this.#resident, kwp);
    this.#import = new KeyImport(token, this.#resident, this.#pairs);
    const keys = new SigningKeys(token, this.#resident, kwp);
    const material = new MaterialImport(token, this.#pairs, this.#import, keys);
    const assertPair = (mkWrapId: Buffer, blob: Buffer) => this.#importPair(mkWrapId, blob);
    this.external = new ExternalKeys(token, this.#rules, this.#canary, material, keys, assertPair);
  }

  random(length: number): Buffer {
    return this.token.pool.use('drawing random bytes', (session) => this.#random.next(session, length));
  }

  hmac(id: Buffer, data: Buffer): Buffer {
    return this.#rules.freshHandles(() => {
      const key = this.#resident.of(id);
      return this.token.pool.use('computing an HMAC', (session) => hmacSha256(session, key, data));
    });
  }

  hmacOnToken(id: Buffer, data: Buffer): Buffer {
    const key = this.#resident.onToken(id);
    return this.token.pool.use('computing an HMAC', (session) => hmacSha256(session, key, data));
  }

  generateRootKey(mkWrapId: Buffer): Buffer {
    return this.#rules.freshHandles(() => this.#rootKeys.generate(mkWrapId));
  }

  importRootKey(mkWrapId: Buffer, material: Buffer): Buffer {
    return this.#rules.freshHandles(() => this.#import.wrapMaterial(mkWrapId, material));
  }

  async generateImportPair(bits: ImportPairBits): Promise<ImportPair> {
    const pair = await this.#pairs.generate(bits);
    return { ...pair, wrapUnder: (mkWrapId) => this.#rules.freshHandles(() => pair.wrapUnder(mkWrapId)) };
  }

  importPairPublicKey(mkWrapId: Buffer, blob: Buffer): Buffer {
    const { publicKey } = this.#rules.freshHandles(() => this.#importPair(mkWrapId, blob));
    return publicKey.export({ type: 'spki', format: 'der' });
  }

  importWithPair(mkWrapId: Buffer, pairBlob: Buffer, sealed: SealedKey): Promise<Imported> {
    return this.#rules.freshHandlesLater(async () => {
      this.#importPair(mkWrapId, pairBlob);
      return this.#import.open(mkWrapId, pairBlob, sealed);
    });
  }

  encrypt(mkWrapId: Buffer, blob: Buffer, plaintext: Buffer, aad: Buffer): Buffer {
    return this.#rules.freshHandles(() => {
      const key = this.#rootKey(mkWrapId, blob);
      return this.token.pool.use('encrypting', (session) => sealAesGcm(session, key, plaintext, aad));
    });
  }

  decrypt(mkWrapId: Buffer, blob: Buffer, sealed: Buffer, aad: Buffer): Buffer {
    return this.#rules.freshHandles(() => {
      const key = this.#rootKey(mkWrapId, blob);
      return this.#rules.blame(
        'CIPHERTEXT_INVALID',
        'the ciphertext was not made by this key, or it or its context was changed',
        () => this.token.pool.use('decrypting', (session) => openAesGcm(session, key, sealed, aad)),
        () => this.#canary.proveKey(key),
      );
    });
  }

  checkAnswer(mkWrapId: Buffer, checkBlob: Buffer, input: Buffer): Buffer {
    const mkWrap = this.#resident.onToken(mkWrapId);
    const key = this.#rules.blame(
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
    this.#rules.freshHandles(() => this.#canary.sing(mkWrapId));
  }

  /** Drops every cached handle; the next use finds its keys on the token again. */
  forget(): void {
    this.#rootKeys.forget();
    this.#pairs.forget();
    this.external.forget();
    this.#resident.forget();
  }

  #rootKey(mkWrapId: Buffer, blob: Buffer): Handle {
    return this.#rules.blame(
      'KEY_ROW_INVALID',
      'the wrapped root key does not open under the master key of this unit',
      () => this.#rootKeys.of(mkWrapId, blob),
      () => this.#canary.sing(mkWrapId),
    );
  }

  #importPair(mkWrapId: Buffer, blob: Buffer): RsaPair {
    return this.#rules.blame(
      'KEY_ROW_INVALID',
      'the wrapped import pair does not open under the master key of this unit',
      () => this.#pairs.of(mkWrapId, blob),
      () => this.#canary.sing(mkWrapId),
    );
  }
}

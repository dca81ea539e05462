import { randomBytes } from 'node:crypto';
import type { Handle } from 'pkcs11js';
import { needs } from '../shared/errors.js';
import { assertOfInput, type CallRules } from './call-rules.js';
import type { Canary } from './canary.js';
import type { ImportedMaterial, ImportedPrivateKey, MaterialImport } from './material-import.js';
import type { SealedMaterial } from './sealed-key.js';
import type { Session } from './session-pool.js';
import { type SigningPlan, signingPlan } from './signing.js';
import type { PrivateKeyAlgorithm } from './signing-algorithms.js';
import type { PrivateKeyBlob, SigningKeys } from './signing-keys.js';
import type { Token } from './token.js';

export type { ImportedMaterial, ImportedPrivateKey, MaterialRefusal } from './material-import.js';
export { isPrivateKeyAlgorithm, type PrivateKeyAlgorithm } from './signing-algorithms.js';
export type { PrivateKeyBlob } from './signing-keys.js';

type PublicHalf = Pick<PrivateKeyBlob, 'algorithm' | 'publicKey'>;

/** Keys whose material clients bring; AES keys among them are then used as every root key is. */
export class ExternalKeys {
  constructor(
    private readonly token: Token,
    private readonly rules: CallRules,
    private readonly canary: Canary,
    private readonly material: MaterialImport,
    private readonly keys: SigningKeys,
    private readonly assertPair: (mkWrapId: Buffer, pairBlob: Buffer) => void,
  ) {}

  /**
   * The AES-256 key that a client encrypted to the import pair in the blob, wrapped under mk-wrap (40 bytes). When what the
   * client sent is wrong, `refusal` says so, with a random key in the blob. KEY_ROW_INVALID when the pair does not open.
   */
  importKey(mkWrapId: Buffer, pairBlob: Buffer, sealed: SealedMaterial): Promise<ImportedMaterial> {
    return this.rules.freshHandlesLater(async () => {
      this.assertPair(mkWrapId, pairBlob);
      return this.material.openKey(mkWrapId, pairBlob, sealed);
    });
  }

  /** The same for a private key, which was seen to sign; a refused one has neither blob nor public half. */
  importPrivateKey(
    mkWrapId: Buffer,
    pairBlob: Buffer,
    algorithm: PrivateKeyAlgorithm,
    sealed: SealedMaterial,
  ): Promise<ImportedPrivateKey> {
    return this.rules.freshHandlesLater(async () => {
      this.assertPair(mkWrapId, pairBlob);
      const imported = await this.material.openPrivateKey(mkWrapId, pairBlob, algorithm, sealed);
      const { blob: wrapped, publicKey, refusal } = imported;
      if (refusal || (await this.#signsAndVerifies(mkWrapId, { algorithm, publicKey, wrapped }))) return imported;
      return { ...imported, refusal: 'PRIVATE_KEY_INVALID' };
    });
  }

  /**
   * Signs a digest inside the token, on the thread pool: RSA as long as the modulus, ECDSA as DER. BAD_REQUEST when
   * algorithm and digest do not fit; KEY_ROW_INVALID when the key does not open under mk-wrap.
   */
  async sign(mkWrapId: Buffer, key: PrivateKeyBlob, algorithm: string, digest: Buffer): Promise<Buffer> {
    const plan = signingPlan(key.algorithm, algorithm, digest);
    return this.rules.freshHandlesLater(async () => {
      const handle = this.#privateHalf(mkWrapId, key);
      const signature = await this.token.pool.lease('signing', (session) => sign(session, handle, plan));
      return plan.toOutside(signature);
    });
  }

  /** Whether this key could have made the signature. Throws as sign does. */
  verify(mkWrapId: Buffer, key: PublicHalf, algorithm: string, digest: Buffer, signature: Buffer): boolean {
    const plan = signingPlan(key.algorithm, algorithm, digest);
    const given = plan.toToken(signature);
    if (!given) return false;
    try {
      return this.rules.freshHandles(() => {
        const half = this.keys.publicHalf(key.publicKey);
        return this.token.pool.use('verifying', (session) => verifies(session, half, plan, given));
      });
    } catch (cause) {
      assertOfInput(cause, () => this.canary.sing(mkWrapId));
      return false;
    }
  }

  /** Drops every cached handle. */
  forget(): void {
    this.keys.forget();
  }

  #privateHalf(mkWrapId: Buffer, key: PrivateKeyBlob): Handle {
    return this.rules.blame(
      'KEY_ROW_INVALID',
      'the wrapped private key does not open under the master key of this unit',
      () => this.keys.privateHalf(mkWrapId, key),
      () => this.canary.sing(mkWrapId),
    );
  }

  /** Pairwise consistency (SP 800-56A section 5.6.2.1.4) in the token, of the key as it will be used. */
  async #signsAndVerifies(mkWrapId: Buffer, key: PrivateKeyBlob): Promise<boolean> {
    const algorithm = key.algorithm.startsWith('RSA') ? 'RSASSA_PKCS1_V1_5_SHA_256' : 'ECDSA_SHA_256';
    const digest = randomBytes(32);
    try {
      return this.verify(mkWrapId, key, algorithm, digest, await this.sign(mkWrapId, key, algorithm, digest));
    } catch (cause) {
      assertOfInput(cause, () => this.canary.sing(mkWrapId));
      return false;
    }
  }
}

async function sign({ lib, handle }: Session, key: Handle, { mechanism, data, bytes }: SigningPlan): Promise<Buffer> {
  lib.C_SignInit(handle, mechanism, key);
  const signature = await lib.C_SignAsync(handle, data, Buffer.alloc(bytes));
  data.fill(0); // and so the thread pool had it to read from until now
  needs(signature.length === bytes, 'TOKEN_UNSUITABLE', `the token gave ${signature.length} bytes, not ${bytes}`);
  return signature;
}

function verifies({ lib, handle }: Session, key: Handle, { mechanism, data }: SigningPlan, signature: Buffer): boolean {
  lib.C_VerifyInit(handle, mechanism, key);
  return lib.C_Verify(handle, data, signature);
}

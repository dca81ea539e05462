import { randomBytes } from 'node:crypto';
import type { Handle } from 'pkcs11js';
import { KeysteadError, needs } from '../shared/errors.js';
import { openAesGcm, sealAesGcm } from './aes-gcm.js';
import { toKeysteadError } from './ckr.js';
import { AES_256_BYTES } from './mechanisms.js';
import type { TokenRandom } from './random.js';
import type { ResidentKeys } from './resident-keys.js';
import type { RootKeys } from './root-keys.js';
import type { Token } from './token.js';

/**
 * Proof that a unit works, made afresh each time. An encryption with a cached key proves nothing: SoftHSM goes on doing that
 * after its directory was deleted. So: the token answers and is ours (C_GetTokenInfo), the key is found on it
 * (C_FindObjects), a root key opened under the key *on the token* reads what the same root key opened under our
 * session copy wrote, and the random numbers are random.
 */
export class Canary {
  /** A root key of nobody, wrapped once per mk-wrap. */
  readonly #blobs = new Map<string, Buffer>();

  constructor(
    private readonly token: Token,
    private readonly resident: ResidentKeys,
    private readonly rootKeys: RootKeys,
    private readonly random: TokenRandom,
  ) {}

  /** Throws TOKEN_LOST or UNIT_FAULT unless the unit works; with an mk-wrap, unless root keys under it work too. */
  sing(mkWrapId: Buffer | null): void {
    this.token.info();
    this.token.pool.use('the canary draws random bytes', (session) => this.random.next(session, AES_256_BYTES));
    if (mkWrapId) this.#proveMasterKey(mkWrapId);
  }

  /** Throws UNIT_FAULT unless the unit decrypts what it now encrypts with this very key. */
  proveKey(key: Handle): void {
    this.#roundTrip(key, key);
  }

  #proveMasterKey(mkWrapId: Buffer): void {
    const onToken = this.resident.onToken(mkWrapId);
    const blob = this.#blobOf(mkWrapId);
    const fresh = this.rootKeys.open(onToken, blob);
    try {
      this.#roundTrip(this.rootKeys.of(mkWrapId, blob), fresh);
    } finally {
      this.token.discard(fresh);
    }
  }

  #blobOf(mkWrapId: Buffer): Buffer {
    const name = mkWrapId.toString('hex');
    const known = this.#blobs.get(name);
    if (known) return known;
    const made = this.rootKeys.generate(mkWrapId);
    this.#blobs.set(name, made);
    return made;
  }

  #roundTrip(writer: Handle, reader: Handle): void {
    const doing = 'the canary could not read back what it wrote; open the unit again';
    const plaintext = randomBytes(AES_256_BYTES);
    const aad = randomBytes(AES_256_BYTES);
    try {
      const sealed = this.token.pool.use(doing, (session) => sealAesGcm(session, writer, plaintext, aad));
      const opened = this.token.pool.use(doing, (session) => openAesGcm(session, reader, sealed, aad));
      needs(opened.equals(plaintext), 'UNIT_FAULT', doing);
    } catch (cause) {
      // a data error here is the unit's own doing: it is its ciphertext
      const error = toKeysteadError(cause, doing);
      throw error.code === 'CIPHERTEXT_INVALID' ? new KeysteadError('UNIT_FAULT', doing, { cause }) : error;
    }
  }
}

import pkcs11js, { type Handle, type Template } from 'pkcs11js';
import { KeysteadError, needs } from '../shared/errors.js';
import { ckrClass, toKeysteadError } from './ckr.js';
import { AES_256_BYTES, type OaepHash } from './mechanisms.js';
import { attribute } from './objects.js';
import { forgetOpenSslErrors } from './openssl-errors.js';
import { bestOaepHash, generateRsaPair, opensOaep, type RsaPair, unwrapOaep } from './rsa-oaep.js';
import type { Session } from './session-pool.js';
import { importerPair, mkMac, mkWrap } from './templates.js';
import type { Token } from './token.js';

/** A one-time RSA-3072 pair inside the token, to which a master key is encrypted. */
export interface Importer {
  /** SPKI DER. */
  readonly publicKey: Buffer;
  readonly oaepHash: OaepHash;
  /** Destroys the private half; it can be called again. */
  destroy(): void;
}

/** The pair itself: session objects of a session of their own, which end with it. */
export class TokenImporter implements Importer {
  #destroyed = false;

  private constructor(
    private readonly token: Token,
    private readonly session: Session,
    private readonly pair: RsaPair,
    readonly oaepHash: OaepHash,
  ) {}

  /** Makes the pair on the thread pool and finds the best OAEP hash by trying it. */
  static async generate(token: Token, id: Buffer): Promise<TokenImporter> {
    const doing = 'generating an importer pair';
    const session = await token.pool.hold(doing);
    return token.pool.run(session, doing, async () => {
      const pair = await generateRsaPair(session, importerPair(id));
      token.sessionObjectsMade += 4; // the two halves and at most two trial secrets
      return new TokenImporter(token, session, pair, bestOaepHash(session, pair));
    });
  }

  /** SPKI DER of the public half. */
  get publicKey(): Buffer {
    return this.pair.publicKey.export({ type: 'spki', format: 'der' });
  }

  /**
   * Unwraps the blob to a new object. A blob that does not open is MASTER_KEY_INVALID, provided that the unit opens a
   * blob of our own with the same key; if it does not, the unit is at fault.
   */
  unwrap(blob: Buffer, template: Template): Handle {
    const doing = 'unwrapping a master key';
    if (this.#destroyed)
      throw new KeysteadError('IMPORTER_INVALID', 'the importer was used or has expired; make a new one');
    try {
      return unwrapOaep(this.session, this.pair.privateKey, this.oaepHash, blob, template);
    } catch (cause) {
      forgetOpenSslErrors();
      const kind = ckrClass(cause);
      if (kind !== 'data' && kind !== 'ambiguous' && kind !== 'unsuitable') throw toKeysteadError(cause, doing);
      this.#assertOpens(cause);
      throw new KeysteadError('MASTER_KEY_INVALID', 'the encrypted master key does not open with this importer', {
        cause,
      });
    }
  }

  /** Destroys the pair. It can be called again. */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.token.pool.drop(this.session);
  }

  #assertOpens(cause: unknown): void {
    this.token.sessionObjectsMade += 1;
    if (opensOaep(this.session, this.pair, this.oaepHash)) return;
    throw toKeysteadError(cause, 'the importer does not open what was encrypted to it');
  }
}

/** Unwraps half of a master key into a token key (unit-token.ts). */
export function importMasterKey(
  token: Token,
  importer: Importer,
  role: 'mk-wrap' | 'mk-mac',
  id: Buffer,
  blob: Buffer,
): void {
  needs(importer instanceof TokenImporter, 'IMPORTER_INVALID', 'the importer belongs to no open token; make a new one');
  const template = role === 'mk-wrap' ? mkWrap(id) : mkMac(id);
  token.create(`importing ${role}`, id, (session) => {
    const key = importer.unwrap(blob, template);
    // SoftHSM does not tell the length of an unwrapped key; there the check values of the master key decide alone
    const length = attribute(session, key, pkcs11js.CKA_VALUE_LEN)?.readUInt32LE() ?? 0;
    if (length === 0 || length === AES_256_BYTES) return;
    throw new KeysteadError('MASTER_KEY_INVALID', `the encrypted ${role} does not hold a 256-bit key`);
  });
}

import { createHash } from 'node:crypto';
import { KeysteadError, needs } from '../shared/errors.js';
import { RecentMap } from '../shared/recent-map.js';
import type { Kwp } from './kwp.js';
import type { ImportPairBits } from './mechanisms.js';
import { opensKeysInside } from './oaep-import.js';
import type { ResidentKeys } from './resident-keys.js';
import { generateRsaPair, type RsaPair, readRsaPublicKey } from './rsa-oaep.js';
import { importPairToGenerate, importPairToUse } from './templates.js';
import type { Token } from './token.js';

/** Private halves kept open at most; a unit needs those of the import tokens of one instance. */
const CAPACITY = 32;
/** The private half of the smallest pair has more: two numbers as long as its modulus. */
const LEAST_BLOB_BYTES = 512;

/** A pair that was just made, until its private half is wrapped. */
export interface ImportPair {
  /** SPKI DER. */
  readonly publicKey: Buffer;
  /** The private half under this mk-wrap (RFC 5649); it was seen to open again. */
  wrapUnder(mkWrapId: Buffer): Buffer;
  destroy(): void;
}

/**
 * RSA pairs to which clients encrypt keys. They live as wrapped private keys in the rows of the server, so every unit with
 * this master key has them; here they are non-extractable session objects, the least recently used dropped first.
 */
export class ImportPairs {
  readonly #open: RecentMap<RsaPair>;
  #turn: Promise<unknown> = Promise.resolve();
  #inside: boolean | undefined;

  constructor(
    private readonly token: Token,
    private readonly resident: ResidentKeys,
    private readonly kwp: Kwp,
    capacity = CAPACITY,
  ) {
    this.#open = new RecentMap(capacity, ({ privateKey }) => token.discard(privateKey));
  }

  /** Makes a pair on the thread pool, one at a time: 0.2 to 5 s, in which every other call goes on. */
  generate(bits: ImportPairBits): Promise<ImportPair> {
    const made = this.#turn.then(() => this.#generate(bits));
    this.#turn = made.catch(() => undefined); // the one who asked hears of it
    return made;
  }

  /**
   * The pair in the blob, for OAEP in the token where that is possible, else for raw RSA. Errors of C_UnwrapKey come as they
   * are (crypto-core.ts judges them); KEY_ROW_INVALID when the blob has no possible length.
   */
  of(mkWrapId: Buffer, blob: Buffer): RsaPair {
    const possible = blob.length > LEAST_BLOB_BYTES && blob.length % 8 === 0;
    needs(possible, 'KEY_ROW_INVALID', `a wrapped RSA private key does not have ${blob.length} bytes`);
    this.#inside ??= this.#opensInside(mkWrapId, blob);
    return this.#cached(mkWrapId, blob, this.#inside ? 'unwrap' : 'decrypt');
  }

  /** The pair in a blob that `of` opened, for raw RSA, which padding other than OAEP needs on every token. */
  forRawRsa(mkWrapId: Buffer, blob: Buffer): RsaPair {
    return this.#cached(mkWrapId, blob, 'decrypt');
  }

  /** Whether this token opens what clients encrypt without giving it out; known once a pair was opened. */
  get inside(): boolean {
    return this.#inside === true;
  }

  /** Drops every pair, for instance because their mk-wrap was destroyed. */
  forget(): void {
    this.#open.clear();
  }

  async #generate(bits: ImportPairBits): Promise<ImportPair> {
    const doing = 'generating an import pair';
    const session = await this.token.pool.hold(doing);
    this.token.sessionObjectsMade += 2;
    const pair = await this.token.pool.run(session, doing, () => generateRsaPair(session, importPairToGenerate(bits)));
    const publicKey = pair.publicKey.export({ type: 'spki', format: 'der' });
    return {
      publicKey,
      wrapUnder: (mkWrapId) => this.#wrap(pair, mkWrapId),
      destroy: () => this.token.pool.drop(session),
    };
  }

  #wrap(pair: RsaPair, mkWrapId: Buffer): Buffer {
    const mkWrap = this.resident.of(mkWrapId);
    const blob = this.token.atGuard('wrapping the private half of an import pair', (guard) =>
      this.kwp.wrap(guard, mkWrap, pair.privateKey),
    );
    if (this.of(mkWrapId, blob).publicKey.equals(pair.publicKey)) return blob;
    throw new KeysteadError(
      'UNIT_FAULT',
      'the token did not open the import pair that it wrapped; open the unit again',
    );
  }

  #cached(mkWrapId: Buffer, blob: Buffer, use: 'unwrap' | 'decrypt'): RsaPair {
    const name = createHash('sha256').update(mkWrapId).update(blob).update(use).digest('base64');
    return this.#open.of(name, () => this.#unwrap(mkWrapId, blob, use));
  }

  #unwrap(mkWrapId: Buffer, blob: Buffer, use: 'unwrap' | 'decrypt'): RsaPair {
    const mkWrap = this.resident.of(mkWrapId);
    const privateKey = this.token.make('opening an import pair', (guard) =>
      this.kwp.unwrap(guard, mkWrap, blob, importPairToUse(use)),
    );
    const publicKey = this.token.atGuard('reading an import pair', (guard) => readRsaPublicKey(guard, privateKey));
    return { privateKey, publicKey };
  }

  #opensInside(mkWrapId: Buffer, blob: Buffer): boolean {
    const { model } = this.token.info();
    const pair = this.#unwrap(mkWrapId, blob, 'unwrap');
    try {
      this.token.sessionObjectsMade += 2;
      return this.token.pool.use('trying an import', (session) => opensKeysInside(model, session, pair));
    } catch (cause) {
      // whatever else the token says to a trial means that it cannot
      if (cause instanceof KeysteadError && cause.code !== 'TOKEN_LOST' && cause.code !== 'INTERNAL') return false;
      throw cause;
    } finally {
      this.token.discard(pair.privateKey);
    }
  }
}

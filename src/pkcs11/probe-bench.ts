import { randomBytes } from 'node:crypto';
import type { Handle, Template } from 'pkcs11js';
import { toKeysteadError } from './ckr.js';
import { OAEP_HASHES, type OaepHash } from './mechanisms.js';
import { encryptOaep, generateRsaPair, opensOaep, type RsaPair, unwrapOaep } from './rsa-oaep.js';
import type { Session } from './session-pool.js';
import { importerPair } from './templates.js';
import type { Token } from './token.js';

/**
 * Where a token is tried out: a session of its own, whose objects end with it, and an RSA pair. Known keys are brought in
 * as master keys will be, by an RSA-OAEP unwrap, so that a token which refuses C_CreateObject is judged as well.
 */
export class ProbeBench {
  /** Hashes with which the token opens RSA-OAEP to a key. */
  readonly oaepHashes: readonly OaepHash[];

  private constructor(
    readonly token: Token,
    readonly home: Session,
    readonly pair: RsaPair,
  ) {
    this.oaepHashes = OAEP_HASHES.filter((hash) => this.does(() => opensOaep(home, pair, hash)));
  }

  /** Runs trials on a new bench and clears it away; 0.5 to 3 s go by in making the pair. */
  static async run<T>(token: Token, trials: (bench: ProbeBench) => T): Promise<T> {
    const doing = 'probing what the token can do';
    const home = await token.pool.hold(doing);
    const pair = await token.pool.run(home, doing, (session) =>
      generateRsaPair(session, importerPair(randomBytes(16))),
    );
    try {
      return trials(new ProbeBench(token, home, pair));
    } finally {
      token.pool.drop(home);
    }
  }

  /**
   * Whether the work comes to a good end, on a session of its own. A refusal of the token is the answer "no"; a token that
   * is gone, or a mistake of ours, is none.
   */
  does(work: (session: Session) => boolean): boolean {
    try {
      return this.token.pool.use('probing what the token can do', work);
    } catch (cause) {
      const { code } = toKeysteadError(cause, 'probing');
      if (code === 'TOKEN_LOST' || code === 'INTERNAL') throw cause;
      return false;
    }
  }

  /** Brings a known key into the token. */
  place(key: Buffer, template: Template): Handle {
    const hash = this.oaepHashes[0] ?? 'SHA-1';
    this.token.sessionObjectsMade += 1;
    const blob = encryptOaep(this.pair.publicKey, hash, key);
    return unwrapOaep(this.home, this.pair.privateKey, hash, blob, template);
  }
}

import { Injectable } from '@nestjs/common';
import type { Caller } from '../../access/caller.js';
import { FailedAttempts } from '../../access/failed-attempts.js';
import { AccessKeys } from '../../access-keys/access-keys.js';
import { AccessNonces } from '../../access-keys/access-nonces.js';
import { sha256 } from '../../shared/bytes.js';
import type { Call } from './call.js';
import { AlibabaError } from './refusals.js';

const SKEW_MS = 15 * 60_000;
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** Who signed a call, and the instance that the access key belongs to. */
export interface Signer {
  readonly caller: Caller;
  readonly instanceId: string;
}

/** Answers who signed a call. A call counts once: its nonce is spent when its signature was good. */
@Injectable()
export class AlibabaAuthentication {
  constructor(
    private readonly keys: AccessKeys,
    private readonly nonces: AccessNonces,
    private readonly attempts: FailedAttempts,
  ) {}

  /**
   * Throws IllegalTimestamp, InvalidTimeStamp.Expired (more than 15 minutes off), InvalidAccessKeyId.NotFound,
   * SignatureDoesNotMatch, SignatureNonceUsed, and RATE_LIMITED for an address that fails too often.
   */
  async authenticate(call: Call, address: string): Promise<Signer> {
    const { accessKeyId } = call;
    const subject = sha256(accessKeyId).toString('base64url');
    this.attempts.check(address, subject);
    const signedAt = timeOf(call);
    const found = await this.keys.find(accessKeyId, 'alibaba', address);
    if (found === null) throw await this.#failed(address, subject, new AlibabaError('InvalidAccessKeyId.NotFound'));
    const isSigned = call.isSignedWith(found.secret);
    found.secret.fill(0);
    if (!isSigned) {
      // clients look for these words, and tell a wrong secret from a wrong canonicalisation by what follows them
      const detail = `server string to sign is:${call.stringToSign}`;
      throw await this.#failed(address, subject, new AlibabaError('SignatureDoesNotMatch', detail));
    }
    const until = new Date(signedAt + SKEW_MS);
    if (!(await this.nonces.spend(accessKeyId, call.nonce, until))) throw new AlibabaError('SignatureNonceUsed');
    return { caller: found.caller, instanceId: found.instanceId };
  }

  async #failed(address: string, subject: string, refusal: AlibabaError): Promise<AlibabaError> {
    await this.attempts.note(address, subject);
    return refusal;
  }
}

/** When the call was signed, in milliseconds since 1970. */
function timeOf({ timestamp = '' }: Call): number {
  const time = TIMESTAMP.test(timestamp) ? Date.parse(timestamp) : Number.NaN;
  if (Number.isNaN(time)) throw new AlibabaError('IllegalTimestamp', 'Write it as 2026-01-31T23:59:59Z.');
  if (Math.abs(Date.now() - time) > SKEW_MS) throw new AlibabaError('InvalidTimeStamp.Expired');
  return time;
}

import type { UnitToken } from '../pkcs11/unit-token.js';
import { equalBytes } from '../shared/bytes.js';
import { checkInput, MKVP_BYTES, mkvpInput } from '../shared/check-value.js';
import { KeysteadError } from '../shared/errors.js';
import type { MasterKeyRecord } from './unit-record.js';

type Proof = Pick<MasterKeyRecord, 'mkId' | 'mkvp' | 'checkBlob' | 'checkAnswer' | 'wrapId' | 'macId'>;

/**
 * Whether the keys on the token are the ones that were signed for, computed in the token now: the MKVP proves mk-mac, the
 * answer to the check blob proves mk-wrap. False also when one of them is not there. Throws TOKEN_LOST.
 */
export function masterKeyMatches(token: UnitToken, instance: string, mk: Proof): boolean {
  try {
    const mkvp = token.hmacOnToken(Buffer.from(mk.macId, 'hex'), mkvpInput(instance, Buffer.from(mk.mkId, 'hex')));
    const expected = Buffer.from(mk.mkvp, 'hex');
    if (!equalBytes(mkvp.subarray(0, MKVP_BYTES), expected)) return false;
    const blob = Buffer.from(mk.checkBlob, 'base64');
    const answer = token.checkAnswer(Buffer.from(mk.wrapId, 'hex'), blob, checkInput(expected));
    return equalBytes(answer, Buffer.from(mk.checkAnswer, 'hex'));
  } catch (cause) {
    if (cause instanceof KeysteadError && (cause.code === 'UNIT_FAULT' || cause.code === 'MASTER_KEY_MISMATCH'))
      return false;
    throw cause;
  }
}

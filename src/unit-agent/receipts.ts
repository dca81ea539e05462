import { type Receipt, receiptSigningInput, sealReceipt } from '../admins/receipt.js';
import type { UnitToken } from '../pkcs11/unit-token.js';
import { kidOf, type UnitRecord } from './unit-record.js';

type Subject = Pick<UnitRecord, 'unit' | 'instance' | 'serial' | 'epoch' | 'counter' | 'receiptKey'>;
type Said = Pick<Receipt, 'plan' | 'nonce' | 'digest' | 'op' | 'outcome' | 'error' | 'facts'>;

/** A receipt of the unit that the record describes, signed in the token now: JWS compact. */
export function signReceipt(token: UnitToken, subject: Subject, said: Said): string {
  const { unit, instance, serial, epoch, counter, receiptKey } = subject;
  const { plan, nonce, digest, op, outcome, error, facts } = said;
  const receipt: Receipt = {
    v: 1,
    plan,
    nonce,
    digest,
    op,
    instance,
    unit,
    serial,
    epoch,
    counter,
    outcome,
    error,
    facts,
    at: new Date().toISOString(),
  };
  const input = receiptSigningInput(receipt, kidOf(receiptKey.spki));
  return sealReceipt(input, token.signReceipt(Buffer.from(receiptKey.id, 'hex'), input));
}

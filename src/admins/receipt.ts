import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { z } from 'zod';
import { sha256 } from '../shared/bytes.js';
import { type ErrorCode, isErrorCode, KeysteadError, needs } from '../shared/errors.js';
import { parseStrictJson } from '../shared/strict-json.js';
import { SIGNED_OPS, type SignedOp } from '../shared/unit-state.js';
import { hexOf, inShape, Moment } from './command-args.js';

/**
 * What a unit says it did: JWS compact (RFC 7515 section 7.1), ES256 (RFC 7518 section 3.4) by the receipt key that
 * was made in the token at claim. Whoever holds the pinned public half need not trust what carried the receipt.
 */
export interface Receipt {
  readonly v: 1;
  readonly plan: string | null;
  readonly nonce: string | null;
  /** SHA-256 of the payload of the command this answers, hex. */
  readonly digest: string | null;
  readonly op: SignedOp | 'claim' | 'facts';
  readonly instance: string;
  readonly unit: string;
  readonly serial: string;
  readonly epoch: string;
  readonly counter: number;
  readonly outcome: 'ok' | 'refused';
  readonly error: { readonly code: ErrorCode; readonly message: string } | null;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly at: string;
}

export const RECEIPT_TYP = 'keystead-receipt+jws';
const SIGNATURE_BYTES = 64;

const Header = z.strictObject({ alg: z.literal('ES256'), kid: hexOf(32), typ: z.literal(RECEIPT_TYP) });

const Text = z.string().min(1).max(255);
const Body = z
  .strictObject({
    v: z.literal(1),
    plan: Text.nullable(),
    nonce: Text.nullable(),
    digest: hexOf(32).nullable(),
    op: z.enum([...SIGNED_OPS, 'claim', 'facts']),
    instance: z.string().max(255),
    unit: Text,
    serial: Text,
    epoch: hexOf(16),
    counter: z.int().min(0),
    outcome: z.enum(['ok', 'refused']),
    error: z.strictObject({ code: z.custom<ErrorCode>(isErrorCode), message: z.string() }).nullable(),
    facts: z.record(z.string(), z.unknown()),
    at: Moment,
  })
  .refine(({ outcome, error }) => (outcome === 'refused') === (error !== null), 'outcome and error disagree');

/** The bytes a unit signs (ECDSA P-256 over their SHA-256). `kid` is the SHA-256 of the receipt key's SPKI, hex. */
export function receiptSigningInput(receipt: Receipt, kid: string): Buffer {
  const header = JSON.stringify({ alg: 'ES256', kid, typ: RECEIPT_TYP });
  return Buffer.from(
    [header, JSON.stringify(receipt)].map((part) => Buffer.from(part).toString('base64url')).join('.'),
  );
}

/** The receipt as text: the signed bytes and the raw signature, r ‖ s of 64 bytes. */
export function sealReceipt(signingInput: Buffer, signature: Buffer): string {
  needs(signature.length === SIGNATURE_BYTES, 'INTERNAL', `an ES256 signature has ${SIGNATURE_BYTES} bytes`);
  return `${signingInput.toString('ascii')}.${signature.toString('base64url')}`;
}

/** The receipt in a text, verified under the receipt key (SPKI DER, P-256). Throws RECEIPT_INVALID. */
export function readReceipt(text: string, spki: Buffer): Receipt {
  const parts = text.split('.');
  const [header, body, signature] = parts.map((part) => fromBase64url(part));
  needs(parts.length === 3 && header && body && signature, 'RECEIPT_INVALID', 'a receipt has three parts');
  const { kid } = shaped(Header, header, 'the header of the receipt');
  needs(
    kid === sha256(spki).toString('hex'),
    'RECEIPT_INVALID',
    `the receipt is signed by another unit key (${kid}) than the known one`,
  );
  const signed = Buffer.from(text.slice(0, text.lastIndexOf('.')));
  needs(
    signature.length === SIGNATURE_BYTES &&
      verify('sha256', signed, { key: p256(spki), dsaEncoding: 'ieee-p1363' }, signature),
    'RECEIPT_INVALID',
    'the signature of the receipt does not verify under the unit key; do not believe what it says',
  );
  return shaped(Body, body, 'the receipt');
}

function p256(spki: Buffer): KeyObject {
  try {
    const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key;
  } catch (cause) {
    throw new KeysteadError('RECEIPT_INVALID', 'the unit key is not a public key', { cause });
  }
  throw new KeysteadError('RECEIPT_INVALID', 'the unit key is not an ECDSA P-256 key');
}

function shaped<Shape extends z.ZodType>(shape: Shape, text: Buffer, what: string): z.infer<Shape> {
  return inShape(shape, parseStrictJson(text, what, 'RECEIPT_INVALID'), what, 'RECEIPT_INVALID');
}

function fromBase64url(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  needs(bytes.toString('base64url') === text, 'RECEIPT_INVALID', 'the receipt is not base64url (RFC 4648 section 5)');
  return bytes;
}

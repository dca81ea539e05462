import { createPublicKey, verify } from 'node:crypto';
import { z } from 'zod';
import { hexOf, inShape, Moment } from '../admins/command-args.js';
import { sha256 } from '../shared/bytes.js';
import { KeysteadError, messageOf, needs } from '../shared/errors.js';
import { parseStrictJson } from '../shared/strict-json.js';

/**
 * A unit's word that the audit log had so many lines with this hash at their end, and that it follows on the checkpoint
 * that the unit signed before: JWS compact (RFC 7515 section 7.1), ES256 by the receipt key. The header's `typ` keeps it
 * apart from receipts: neither can be taken for the other.
 */
const Checkpoint = z.strictObject({
  v: z.literal(1),
  /** Lines of the log. */
  size: z.int().min(0),
  /** Hash of the last line, 32 bytes hex. */
  root: hexOf(32),
  at: Moment,
  instance: z.uuid(),
  unit: z.uuid(),
  /** 16 bytes hex, made at claim. */
  epoch: hexOf(16),
});
export type Checkpoint = Readonly<z.infer<typeof Checkpoint>>;

export const CHECKPOINT_TYP = 'keystead-audit-checkpoint+jws';
const Header = z.strictObject({ alg: z.literal('ES256'), kid: hexOf(32), typ: z.literal(CHECKPOINT_TYP) });
const SIGNATURE_BYTES = 64;

/** The bytes a unit signs (ECDSA P-256 over their SHA-256). `kid` is the SHA-256 of the receipt key's SPKI, hex. */
export function checkpointSigningInput(checkpoint: Checkpoint, kid: string): Buffer {
  const parts = [{ alg: 'ES256', kid, typ: CHECKPOINT_TYP }, Checkpoint.parse(checkpoint)];
  return Buffer.from(parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.'));
}

/** The checkpoint in a text, verified under the receipt key (SPKI DER, P-256). Throws AUDIT_TAMPERED. */
export function readCheckpoint(text: string, spki: Buffer): Checkpoint {
  const parts = text.split('.').map((part) => Buffer.from(part, 'base64url'));
  const [header, body, signature] = parts;
  const whole = parts.length === 3 && parts.map((part) => part.toString('base64url')).join('.') === text;
  needs(whole && header && body && signature, 'AUDIT_TAMPERED', 'a checkpoint is not three parts in base64url');
  const { kid } = shaped(Header, header, 'the header of a checkpoint');
  needs(kid === sha256(spki).toString('hex'), 'AUDIT_TAMPERED', `a checkpoint is signed by another unit key: ${kid}`);
  const signed = Buffer.from(text.slice(0, text.lastIndexOf('.')));
  needs(
    signature.length === SIGNATURE_BYTES && isSigned(signed, spki, signature),
    'AUDIT_TAMPERED',
    'the signature of a checkpoint does not verify under the unit key',
  );
  return shaped(Checkpoint, body, 'a checkpoint');
}

function isSigned(signed: Buffer, spki: Buffer, signature: Buffer): boolean {
  try {
    const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    needs(key.asymmetricKeyDetails?.namedCurve === 'prime256v1', 'AUDIT_TAMPERED', 'a unit key is not ECDSA P-256');
    return verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature);
  } catch (cause) {
    throw new KeysteadError('AUDIT_TAMPERED', `a unit key cannot be used: ${messageOf(cause)}`, { cause });
  }
}

function shaped<Shape extends z.ZodType>(shape: Shape, text: Buffer, what: string): z.infer<Shape> {
  return inShape(shape, parseStrictJson(text, what, 'AUDIT_TAMPERED'), what, 'AUDIT_TAMPERED');
}

import { z } from 'zod';
import { fromBase64, lengthPrefixed } from '../shared/bytes.js';
import { KeysteadError } from '../shared/errors.js';

const IV_BYTES = 12;
const TAG_BYTES = 16;
const FORMAT = '4.0.0';

const Envelope = z.strictObject({ ciphertext: z.string(), iv: z.string(), version: z.string(), handle: z.uuid() });

/** A wrapped data key as clients keep it: base64 of compact JSON, opaque to them. `sealed` is iv ‖ ciphertext ‖ tag. */
export function sealEnvelope(sealed: Buffer, versionId: string): string {
  const iv = sealed.subarray(0, IV_BYTES).toString('base64');
  const ciphertext = sealed.subarray(IV_BYTES).toString('base64');
  return Buffer.from(JSON.stringify({ ciphertext, iv, version: FORMAT, handle: versionId })).toString('base64');
}

/** The parts of a wrapped data key. CIPHERTEXT_INVALID for anything that no wrap of ours made. */
export function openEnvelope(text: string): { sealed: Buffer; versionId: string } {
  try {
    const parsed = Envelope.parse(JSON.parse(fromBase64(text, 'ciphertext').toString('utf8')));
    const iv = fromBase64(parsed.iv, 'iv');
    const ciphertext = fromBase64(parsed.ciphertext, 'ciphertext');
    if (parsed.version !== FORMAT || iv.length !== IV_BYTES || ciphertext.length < TAG_BYTES) throw invalid();
    return { sealed: Buffer.concat([iv, ciphertext]), versionId: parsed.handle };
  } catch (cause) {
    throw cause instanceof KeysteadError && cause.code === 'CIPHERTEXT_INVALID' ? cause : invalid(cause);
  }
}

/** The additional authenticated data of a wrap: dialect, format, then the client's list, so that no two lists are alike. */
export function additionalData(aad: readonly string[]): Buffer {
  return lengthPrefixed(['key-protect', FORMAT, ...aad]);
}

function invalid(cause?: unknown): KeysteadError {
  return new KeysteadError('CIPHERTEXT_INVALID', 'the ciphertext is not one that wrap returned for this key and aad', {
    cause,
  });
}

import { z } from 'zod';
import { fromBase64, lengthPrefixed } from '../shared/bytes.js';
import { KeysteadError } from '../shared/errors.js';

const IV_BYTES = 12;
const TAG_BYTES = 16;
const FORMAT = '4.0.0';

/** Of a wrap without a list, as nearly all are. */
const NO_LIST = lengthPrefixed(['key-protect', FORMAT]);

const Envelope = z.strictObject({ ciphertext: z.string(), iv: z.string(), version: z.string(), handle: z.uuid() });

/** A wrapped data key as clients keep it: base64 of compact JSON, opaque to them. `sealed` is iv ‖ ciphertext ‖ tag. */
export function sealEnvelope(sealed: Buffer, versionId: string): string {
  const iv = sealed.toString('base64', 0, IV_BYTES);
  const ciphertext = sealed.toString('base64', IV_BYTES);
  const json = `{"ciphertext":"${ciphertext}","iv":"${iv}","version":"${FORMAT}","handle":"${versionId}"}`; // nothing in it needs an escape
  return Buffer.from(json, 'latin1').toString('base64');
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
  return aad.length === 0 ? NO_LIST : lengthPrefixed(['key-protect', FORMAT, ...aad]);
}

function invalid(cause?: unknown): KeysteadError {
  return new KeysteadError('CIPHERTEXT_INVALID', 'the ciphertext is not one that wrap returned for this key and aad', {
    cause,
  });
}

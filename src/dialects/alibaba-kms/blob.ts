import { z } from 'zod';
import { isLowerCaseUuid } from '../../shared/uuid.js';
import { ParameterError } from './refusals.js';

const FORMAT = 1;
const ID_LENGTH = 36;
const HEADER_LENGTH = ID_LENGTH + 1 + 16;

/** Which key and version sealed something, and what came out. */
export interface Blob {
  readonly keyId: string;
  readonly versionId: string;
  readonly sealed: Buffer;
}

/**
 * A CiphertextBlob, base64: the id of the key version as text (36 bytes, as Alibaba's begins), a format byte, the id of
 * the key (16 bytes), and what the key sealed, which covers both ids.
 */
export function blobText({ keyId, versionId, sealed }: Blob): string {
  const key = Buffer.from(keyId.replaceAll('-', ''), 'hex');
  return Buffer.concat([Buffer.from(versionId), Buffer.of(FORMAT), key, sealed]).toString('base64');
}

/** Undefined for what is none. */
export function blobIn(text: string): Blob | undefined {
  const bytes = Buffer.from(text, 'base64');
  const versionId = bytes.toString('latin1', 0, ID_LENGTH);
  const sound = bytes.toString('base64') === text && bytes.length > HEADER_LENGTH && isLowerCaseUuid(versionId);
  if (!sound || bytes[ID_LENGTH] !== FORMAT) return undefined;
  const [, ...parts] =
    /^(.{8})(.{4})(.{4})(.{4})(.{12})$/.exec(bytes.toString('hex', ID_LENGTH + 1, HEADER_LENGTH)) ?? [];
  return { keyId: parts.join('-'), versionId, sealed: bytes.subarray(HEADER_LENGTH) };
}

/** One refusal for everything that does not open, without a reason. */
export function blobInvalid(): ParameterError {
  return new ParameterError('InvalidParameter', 'CiphertextBlob');
}

export const CiphertextBlob = z.string().transform((text) => {
  const blob = blobIn(text);
  if (blob === undefined) throw blobInvalid();
  return blob;
});

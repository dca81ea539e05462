import { type ErrorCode, needs } from '../shared/errors.js';

/** One block of a PEM text (RFC 7468). `text` is the whole block, legacy RFC 1421 headers included; it ends in a newline. */
export interface PemBlock {
  readonly label: string;
  readonly text: string;
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\t ]*\r?\n([^-]+(?:-(?!----)[^-]*)*)-----END \1-----[\t ]*\r?(?:\n|$)/g;

/** The blocks of a PEM text in their order; text around them, such as comments, is skipped. */
export function pemBlocks(text: string): PemBlock[] {
  return [...text.matchAll(BLOCK)].map((match) => ({
    label: match[1] as string,
    text: `${match[0].replaceAll('\r', '').trimEnd()}\n`,
  }));
}

/** The DER inside a block without legacy headers. Throws `code` when it is not base64. */
export function derOf(block: PemBlock, code: ErrorCode, what: string): Buffer {
  const body = block.text.split('\n').slice(1, -2).join('').replaceAll(/[\t ]/g, '');
  const der = Buffer.from(body, 'base64');
  needs(der.length > 0 && der.toString('base64') === body, code, `${what}: the ${block.label} block is damaged`);
  return der;
}

/** DER as PEM, 64 characters a line. */
export function toPem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

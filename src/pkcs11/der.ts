import { KeysteadError } from '../shared/errors.js';

/** One DER element (ITU-T X.690): its tag, its contents, and the whole of it with header. */
export interface DerElement {
  readonly tag: number;
  readonly value: Buffer;
  readonly whole: Buffer;
}

/** The elements that lie side by side in the bytes. Throws BAD_REQUEST when the bytes are not DER. */
export function derElements(bytes: Buffer): DerElement[] {
  const elements: DerElement[] = [];
  for (let at = 0; at < bytes.length; ) {
    const element = derElement(bytes.subarray(at));
    elements.push(element);
    at += element.whole.length;
  }
  return elements;
}

/** The element at the head of the bytes. */
export function derElement(bytes: Buffer): DerElement {
  const tag = bytes[0];
  const first = bytes[1];
  if (tag === undefined || first === undefined || first === 0x80 || first > 0x84) throw notDer();
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  const header = 2 + lengthBytes;
  if (bytes.length < header) throw notDer();
  const length = lengthBytes === 0 ? first : bytes.readUIntBE(2, lengthBytes);
  if (bytes.length < header + length) throw notDer();
  return { tag, value: bytes.subarray(header, header + length), whole: bytes.subarray(0, header + length) };
}

const INTEGER = 0x02;
const SEQUENCE = 0x30;

/** r ‖ s as Ecdsa-Sig-Value (RFC 3279 section 2.2.3): SEQUENCE { r INTEGER, s INTEGER }. */
export function ecdsaToDer(raw: Buffer): Buffer {
  const half = raw.length / 2;
  return encoded(SEQUENCE, Buffer.concat([integer(raw.subarray(0, half)), integer(raw.subarray(half))]));
}

/** The inverse, r and s in `bytes` bytes each; undefined unless it is what ecdsaToDer gives. */
export function ecdsaFromDer(der: Buffer, bytes: number): Buffer | undefined {
  const raw = rawOf(der, bytes);
  return raw && ecdsaToDer(raw).equals(der) ? raw : undefined;
}

function rawOf(der: Buffer, bytes: number): Buffer | undefined {
  const numbers = wellFormed(() => derElements(derElement(der).value)) ?? [];
  const halves = numbers.map(({ value }) => value.subarray(value[0] === 0 ? 1 : 0));
  if (halves.length !== 2 || halves.some((half) => half.length > bytes)) return undefined;
  return Buffer.concat(halves.flatMap((half) => [Buffer.alloc(bytes - half.length), half]));
}

function wellFormed<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof KeysteadError) return undefined;
    throw cause;
  }
}

/** A number without a sign, in as few bytes as it takes. */
function integer(bytes: Buffer): Buffer {
  const start = bytes.findIndex((byte) => byte !== 0);
  const magnitude = start < 0 ? Buffer.alloc(1) : bytes.subarray(start);
  const first = magnitude[0] ?? 0;
  return encoded(INTEGER, first & 0x80 ? Buffer.concat([Buffer.alloc(1), magnitude]) : magnitude);
}

/** At most 127 bytes of contents, as signatures with the orders of P-256 and P-384 have. */
function encoded(tag: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.of(tag, value.length), value]);
}

const EXPLICIT_VERSION = 0xa0;

/** The parts of an X.509 certificate that PKCS#11 stores beside it, each as whole DER (RFC 5280 section 4.1). */
export function certificateNames(certificate: Buffer): { serialNumber: Buffer; issuer: Buffer; subject: Buffer } {
  const tbs = derElements(derElement(certificate).value)[0];
  if (!tbs) throw notDer();
  const all = derElements(tbs.value);
  const fields = all[0]?.tag === EXPLICIT_VERSION ? all.slice(1) : all;
  const [serialNumber, , issuer, , subject] = fields; // between them: signature algorithm, validity
  if (!serialNumber || !issuer || !subject) throw notDer();
  return { serialNumber: serialNumber.whole, issuer: issuer.whole, subject: subject.whole };
}

function notDer(): KeysteadError {
  return new KeysteadError('BAD_REQUEST', 'the bytes are not DER (X.690)');
}

/** The few pieces of DER (ITU-T X.690) that an encrypted private key is made of. */

/** SEQUENCE of encoded items. */
export const sequence = (...items: Buffer[]): Buffer => encode(0x30, Buffer.concat(items));

/** OCTET STRING. */
export const octets = (bytes: Buffer): Buffer => encode(0x04, bytes);

/** NULL. */
export const nothing = (): Buffer => encode(0x05, Buffer.alloc(0));

/** INTEGER, not negative, below 2^31. */
export function integer(value: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt32BE(value, 1);
  let start = 0;
  while (start < 4 && bytes[start] === 0 && (bytes[start + 1] as number) < 0x80) start += 1;
  return encode(0x02, bytes.subarray(start));
}

/** OBJECT IDENTIFIER in dotted form. */
export function objectId(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return encode(0x06, Buffer.from([40 * first + second, ...rest.flatMap(base128)]));
}

/** Whether the bytes are one DER value, no more and no less. */
export function isWholeDer(bytes: Buffer): boolean {
  const short = bytes[1] ?? 0;
  if (short < 0x80) return bytes.length === 2 + short;
  const size = short & 0x7f;
  if (size < 1 || size > 4 || bytes.length < 2 + size) return false;
  return bytes.length === 2 + size + bytes.readUIntBE(2, size);
}

function base128(arc: number): number[] {
  const bytes = [arc & 0x7f];
  for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) bytes.unshift((left & 0x7f) | 0x80);
  return bytes;
}

function encode(tag: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([tag]), lengthOf(content), content]);
}

function lengthOf(content: Buffer): Buffer {
  if (content.length < 0x80) return Buffer.from([content.length]);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(content.length);
  const significant = bytes.subarray(bytes.findIndex((byte) => byte !== 0));
  return Buffer.concat([Buffer.from([0x80 | significant.length]), significant]);
}

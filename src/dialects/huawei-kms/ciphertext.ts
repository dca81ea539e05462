import { equalBytes, sha256 } from '../../shared/bytes.js';
import { HuaweiRefusal } from './refusals.js';

const MAGIC = Buffer.from([2, 0]);
const FORMAT = 1;
const BLOCK_BYTES = 16;
const ID_BYTES = 16;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const KEY_ID_BYTES = 36;
const DIGEST_BYTES = 32;
const GAP_BYTES = 4;
const TAIL_BYTES = KEY_ID_BYTES + GAP_BYTES + DIGEST_BYTES;
const PREFIX_BYTES = 4 + 4 + ID_BYTES + IV_BYTES + TAG_BYTES;
/** What a ciphertext has beyond its plaintext, which is filled up to blocks of 16: so the vendor's clients expect it. */
export const OVERHEAD_BYTES = PREFIX_BYTES + TAIL_BYTES;

/** What a ciphertext holds. `sealed` is iv ‖ ciphertext ‖ tag. */
export interface Ciphertext {
  readonly keyId: string;
  readonly versionId: string;
  readonly sealed: Buffer;
}

/**
 * The ciphertext as clients get it, 124 + 16 · ⌈n / 16⌉ bytes for a plaintext of n bytes:
 *
 *     02 00 | u16le: total - 36 | format 1 | filling | 0 0 | version id, 16 | iv, 12 | tag, 16
 *     | n bytes and zeros to fill the block | key id in ASCII, 36 | 0 0 0 0 | SHA-256 of all before
 */
export function packed({ keyId, versionId, sealed }: Ciphertext): Buffer {
  const text = sealed.subarray(IV_BYTES, -TAG_BYTES);
  const filling = (BLOCK_BYTES - (text.length % BLOCK_BYTES)) % BLOCK_BYTES;
  const length = Buffer.alloc(2);
  length.writeUInt16LE(OVERHEAD_BYTES + text.length + filling - KEY_ID_BYTES);
  const body = Buffer.concat([
    MAGIC,
    length,
    Buffer.from([FORMAT, filling, 0, 0]),
    Buffer.from(versionId.replaceAll('-', ''), 'hex'),
    sealed.subarray(0, IV_BYTES),
    sealed.subarray(-TAG_BYTES),
    text,
    Buffer.alloc(filling),
    Buffer.from(keyId, 'ascii'),
    Buffer.alloc(GAP_BYTES),
  ]);
  return Buffer.concat([body, sha256(body)]);
}

/** What `packed` packed. KMS.2201 for anything else: one byte string has one reading. */
export function unpacked(bytes: Buffer): Ciphertext {
  const long = bytes.length >= OVERHEAD_BYTES && (bytes.length - OVERHEAD_BYTES) % BLOCK_BYTES === 0;
  if (!long || !MAGIC.equals(bytes.subarray(0, MAGIC.length))) throw unreadable();
  const end = bytes.length - TAIL_BYTES;
  const filling = bytes.readUInt8(5);
  if (filling >= BLOCK_BYTES || PREFIX_BYTES + filling > end) throw unreadable();
  const id = bytes.subarray(8, 8 + ID_BYTES).toString('hex');
  const iv = bytes.subarray(8 + ID_BYTES, 8 + ID_BYTES + IV_BYTES);
  const tag = bytes.subarray(8 + ID_BYTES + IV_BYTES, PREFIX_BYTES);
  const read = {
    keyId: bytes.subarray(end, end + KEY_ID_BYTES).toString('latin1'),
    versionId: uuidOf(id),
    sealed: Buffer.concat([iv, bytes.subarray(PREFIX_BYTES, end - filling), tag]),
  };
  if (!equalBytes(packed(read), bytes)) throw unreadable();
  return read;
}

/** 32 hex digits with the dashes of a UUID. */
export function uuidOf(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function unreadable(): HuaweiRefusal {
  return new HuaweiRefusal('KMS.2201');
}

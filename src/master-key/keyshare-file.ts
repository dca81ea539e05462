import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import { z } from 'zod';
import { hexOf, inShape, MasterKeyName, Moment, ShareCount } from '../admins/command-args.js';
import { equalBytes, lengthPrefixed, sha256 } from '../shared/bytes.js';
import { canonicalJson } from '../shared/canonical-json.js';
import { KeysteadError, needs } from '../shared/errors.js';
import { Secret } from '../shared/secret.js';
import { parseStrictJson } from '../shared/strict-json.js';
import { SHARE_BYTES } from './second-decoder.js';
import { SCHEME } from './shares.js';

/**
 * One share of a master key in a file, JSON text of format keystead-keyshare/v1:
 *  - everything but `ciphertext` and `checksum` is the header; its canonical JSON (RFC 8785) is the AAD;
 *  - `ciphertext` is AES-256-GCM (IV of 12 bytes, tag of 16) over blinding (32 bytes) ‖ share (82 bytes), under
 *    scrypt (RFC 7914) of the passphrase; both parameters and a new salt are in the header;
 *  - `digests` commits to all n shares of the set: SHA-256 over label, set, number, blinding and share, length-prefixed.
 *    The blinding is secret too, so a digest tells nothing, and a share made up later fits no set;
 *  - `checksum` is SHA-256 over the canonical JSON of all the rest. It protects nothing; it tells a damaged file from a
 *    wrong passphrase.
 * Blanks and line ends are free, so that a file survives an editor; every other difference is refused.
 */
export const KEYSHARE_FORMAT = 'keystead-keyshare/v1';
export const LEAST_SCRYPT_N = 2 ** 14;
const MOST_SCRYPT_BYTES = 2 ** 31;
const BLINDING_BYTES = 32;
const TAG_BYTES = 16;
const IV_BYTES = 12;
const SALT_BYTES = 16;
const CIPHERTEXT_BYTES = BLINDING_BYTES + SHARE_BYTES + TAG_BYTES;

export interface ScryptCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}
/** 128 MiB and some 0.4 s a guess. */
export const DEFAULT_COST: ScryptCost = { N: 2 ** 17, r: 8, p: 1 };

/** What all files of one set say alike. */
const setFields = {
  /** Of the master key: random, constant for its life. */
  mkId: hexOf(16),
  /** Of this split; a reshare makes a new one. */
  setId: hexOf(16),
  instance: z.string().min(1).max(255),
  name: MasterKeyName,
  algorithm: z.literal('AES-256'),
  t: ShareCount,
  n: ShareCount,
  mkvp: hexOf(16),
  createdAt: Moment,
  splitAt: Moment,
  digests: z.array(hexOf(32)).min(2).max(255),
};
const ShareSetShape = z.object(setFields);
export type ShareSet = Readonly<z.infer<typeof ShareSetShape>>;

const HeaderShape = z.strictObject({
  format: z.literal(KEYSHARE_FORMAT),
  scheme: z.literal(SCHEME),
  ...setFields,
  index: z.int().min(1).max(255),
  kdf: z.strictObject({
    name: z.literal('scrypt'),
    N: z.int().min(2),
    r: z.int().min(1),
    p: z.int().min(1).max(16),
    salt: hexOf(SALT_BYTES),
  }),
  cipher: z.strictObject({ name: z.literal('AES-256-GCM'), iv: hexOf(IV_BYTES) }),
});
const FileShape = HeaderShape.extend({ ciphertext: z.base64(), checksum: hexOf(32) });
type Header = z.infer<typeof HeaderShape>;

/** A share file as read, before its passphrase. */
export interface Keyshare {
  readonly file: string;
  readonly set: ShareSet;
  readonly index: number;
  readonly header: Header;
  readonly ciphertext: Buffer;
}

/** A share with its blinding, as encrypted: 114 bytes. */
export function blind(share: Secret): Secret {
  return new Secret(Buffer.concat([randomBytes(BLINDING_BYTES), share.bytes]));
}

/** The digest by which a set knows the blinded share with this number, hex. */
export function digestOf(setId: string, index: number, blinded: Secret): string {
  return sha256(lengthPrefixed(['keystead/keyshare-digest/v1', setId, Buffer.from([index]), blinded.bytes])).toString(
    'hex',
  );
}

/** The text of the file with share `index` of the set. */
export async function sealKeyshare(
  set: ShareSet,
  index: number,
  blinded: Secret,
  passphrase: Secret,
  cost: ScryptCost = DEFAULT_COST,
): Promise<string> {
  const header: Header = {
    format: KEYSHARE_FORMAT,
    scheme: SCHEME,
    ...ShareSetShape.parse(set),
    index,
    kdf: { name: 'scrypt', ...cost, salt: randomBytes(SALT_BYTES).toString('hex') },
    cipher: { name: 'AES-256-GCM', iv: randomBytes(IV_BYTES).toString('hex') },
  };
  using key = await stretch(passphrase, header.kdf);
  const cipher = createCipheriv('aes-256-gcm', key.bytes, Buffer.from(header.cipher.iv, 'hex'), {
    authTagLength: TAG_BYTES,
  });
  cipher.setAAD(Buffer.from(canonicalJson(header)));
  const sealed = Buffer.concat([cipher.update(blinded.bytes), cipher.final(), cipher.getAuthTag()]);
  const body = { ...header, ciphertext: sealed.toString('base64') };
  return `${JSON.stringify({ ...body, checksum: checksumOf(body) }, null, 2)}\n`;
}

/**
 * The share in the text of `file`, still encrypted. Throws KEYSHARE_INVALID, naming the file, when anything in it is
 * not as sealKeyshare writes it, or when opening it would take more than 2 GiB or an N below `leastN`.
 */
export function readKeyshare(text: string | Buffer, file: string, leastN = LEAST_SCRYPT_N): Keyshare {
  const what = `${file} is not a usable key share`;
  const parsed = parseStrictJson(text, what, 'KEYSHARE_INVALID');
  const { format = 'none' } = typeof parsed === 'object' && parsed !== null ? (parsed as { format?: unknown }) : {};
  needs(format === KEYSHARE_FORMAT, 'KEYSHARE_INVALID', `${what}: its format is not ${KEYSHARE_FORMAT}`);
  const { checksum, ...body } = inShape(FileShape, parsed, what, 'KEYSHARE_INVALID');
  needs(checksum === checksumOf(body), 'KEYSHARE_INVALID', `${what}: it was changed or damaged since it was written`);
  const { ciphertext, ...header } = body;
  const sealed = Buffer.from(ciphertext, 'base64');
  const { n, t, digests, index } = header;
  const whole = sealed.toString('base64') === ciphertext && sealed.length === CIPHERTEXT_BYTES;
  needs(whole, 'KEYSHARE_INVALID', `${what}: its ciphertext has not ${CIPHERTEXT_BYTES} bytes`);
  const counted = t <= n && index <= n && digests.length === n;
  needs(counted, 'KEYSHARE_INVALID', `${what}: share ${index}, ${t} of ${n} and ${digests.length} digests disagree`);
  assertCost(header.kdf, leastN, what);
  return { file, set: ShareSetShape.parse(header), index, header, ciphertext: sealed };
}

/**
 * The share of 82 bytes, decrypted and equal to what its set says. Throws PASSPHRASE_WRONG or KEYSHARE_INVALID, naming
 * the file.
 */
export async function openKeyshare(keyshare: Keyshare, passphrase: Secret): Promise<Secret> {
  const { file, header, set, index, ciphertext } = keyshare;
  using key = await stretch(passphrase, header.kdf);
  using blinded = decrypt(key, header, ciphertext, file);
  const ours = set.digests[index - 1] === digestOf(set.setId, index, blinded);
  needs(ours, 'KEYSHARE_INVALID', `${file} does not hold the share of its set that it says it holds; do not use it`);
  const share = new Secret(Buffer.from(blinded.bytes.subarray(BLINDING_BYTES)));
  needs(
    share.bytes[1] === index,
    'KEYSHARE_INVALID',
    `${file} holds another share than number ${index}; do not use it`,
  );
  return share;
}

/** Whether two files say the same of their set. */
export function sameSet(a: Keyshare, b: Keyshare): boolean {
  return equalBytes(sha256(canonicalJson(a.set)), sha256(canonicalJson(b.set)));
}

function decrypt(key: Secret, header: Header, ciphertext: Buffer, file: string): Secret {
  const iv = Buffer.from(header.cipher.iv, 'hex');
  const decipher = createDecipheriv('aes-256-gcm', key.bytes, iv, { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(canonicalJson(header)));
  decipher.setAuthTag(ciphertext.subarray(-TAG_BYTES));
  try {
    const blinded = new Secret(decipher.update(ciphertext.subarray(0, -TAG_BYTES)));
    decipher.final();
    return blinded;
  } catch (cause) {
    throw new KeysteadError('PASSPHRASE_WRONG', `the passphrase does not open ${file}`, { cause });
  }
}

function assertCost({ N, r }: ScryptCost, leastN: number, what: string): void {
  const bytes = 128 * N * r;
  const power = Number.isInteger(Math.log2(N));
  needs(power && N >= leastN, 'KEYSHARE_INVALID', `${what}: scrypt N ${N} is not a power of two of at least ${leastN}`);
  needs(bytes <= MOST_SCRYPT_BYTES, 'KEYSHARE_INVALID', `${what}: scrypt would take ${bytes} bytes; 2 GiB is the most`);
}

/** scrypt (RFC 7914) of the passphrase bytes: the 32-byte key of a share file. */
function stretch(passphrase: Secret, kdf: Header['kdf']): Promise<Secret> {
  const { N, r, p } = kdf;
  const maxmem = 128 * r * (N + p + 2) + 1024;
  return new Promise((resolve, reject) => {
    scrypt(passphrase.bytes, Buffer.from(kdf.salt, 'hex'), 32, { N, r, p, maxmem }, (error, key) =>
      error ? reject(error) : resolve(new Secret(key)),
    );
  });
}

function checksumOf(body: object): string {
  return sha256(canonicalJson(body)).toString('hex');
}

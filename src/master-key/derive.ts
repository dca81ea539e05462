import { createCipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { checkInput, MASTER_KEY_BYTES, MK_LABELS, MKVP_BYTES, mkvpInput } from '../shared/check-value.js';
import { needs } from '../shared/errors.js';
import { Secret } from '../shared/secret.js';

const KEY_BYTES = 32;
const MIX_LABEL = 'keystead/mk-generate/v1';
/** The default initial value of RFC 3394 section 2.2.3.1. */
const KEY_WRAP_IV = Buffer.alloc(8, 0xa6);

/** HKDF with SHA-256 (RFC 5869): `length` bytes. */
export function hkdf(material: Secret, salt: Buffer, info: string | Buffer, length: number): Secret {
  return new Secret(Buffer.from(hkdfSync('sha256', material.bytes, salt, info, length)));
}

/**
 * A new master key of 32 bytes: HKDF over 32 bytes from a crypto unit and 32 from this machine, so that it is good
 * when either of the two is. Throws UNIT_FAULT when the bytes of the unit are too few or all alike.
 */
export function mixMasterKey(unitRandom: Buffer, mkId: Buffer): Secret {
  const usable = unitRandom.length === KEY_BYTES && new Set(unitRandom).size > 1;
  needs(usable, 'UNIT_FAULT', 'the random bytes of the crypto unit are not 32 different ones; try another unit');
  using material = new Secret(Buffer.concat([unitRandom, randomBytes(KEY_BYTES)]));
  return hkdf(material, mkId, MIX_LABEL, MASTER_KEY_BYTES);
}

/** The three keys of a master key (shared/check-value.ts), 32 bytes each, wiped together. */
export class DerivedKeys implements Disposable {
  readonly wrap: Secret;
  readonly mac: Secret;
  readonly check: Secret;

  constructor(masterKey: Secret, mkId: Buffer) {
    this.wrap = hkdf(masterKey, mkId, MK_LABELS.wrap, KEY_BYTES);
    this.mac = hkdf(masterKey, mkId, MK_LABELS.mac, KEY_BYTES);
    this.check = hkdf(masterKey, mkId, MK_LABELS.check, KEY_BYTES);
  }

  /** 16 bytes that identify the master key and give nothing away. */
  mkvp(instance: string, mkId: Buffer): Buffer {
    const mac = createHmac('sha256', this.mac.bytes).update(mkvpInput(instance, mkId)).digest();
    return mac.subarray(0, MKVP_BYTES);
  }

  /** The check key under mk-wrap with AES-KW (RFC 3394): 40 bytes that only a unit with mk-wrap can open. */
  checkBlob(): Buffer {
    const cipher = createCipheriv('id-aes256-wrap', this.wrap.bytes, KEY_WRAP_IV);
    return Buffer.concat([cipher.update(this.check.bytes), cipher.final()]);
  }

  /** What a unit that opened the check blob must answer: 32 bytes. */
  checkAnswer(mkvp: Buffer): Buffer {
    return createHmac('sha256', this.check.bytes).update(checkInput(mkvp)).digest();
  }

  [Symbol.dispose](): void {
    for (const key of [this.wrap, this.mac, this.check]) key[Symbol.dispose]();
  }
}

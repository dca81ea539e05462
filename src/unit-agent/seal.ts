import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { linkSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { lengthPrefixed } from '../shared/bytes.js';
import { fsyncDir, isThere, readPrivateFile, writeDurably } from '../shared/durable-file.js';
import { KeysteadError } from '../shared/errors.js';
import { Secret } from '../shared/secret.js';

const SEAL_KEY_BYTES = 32;

/** Where the new key waits while a rotation is unfinished (reseal.ts). */
export const nextSealKey = (path: string): string => `${path}.next`;

const LOST =
  'if it is lost, the token cannot be opened again: kp crypto-unit replace ID --lost, then load the master key from its keyshares';

/**
 * The key that seals PINs at rest. Made once, by whichever process needs it first; several may try at the same time. While
 * it is being changed there are two: the new one seals, and both open.
 */
export class SealKey {
  /** Newest first. */
  private constructor(private readonly keys: readonly [Buffer, ...Buffer[]]) {}

  /** Throws CONFIG_INVALID unless the file is private and holds 32 bytes. `make`: when there is none, make it. */
  static open(path: string, make: boolean): SealKey {
    if (make && !isThere(path)) makeSealKey(path);
    if (!isThere(path)) {
      throw new KeysteadError(
        'CONFIG_INVALID',
        `the seal key ${path} is gone; put it back: the unit's PIN is sealed to it; ${LOST}`,
      );
    }
    const next = nextSealKey(path);
    return new SealKey(isThere(next) ? [readSealKey(next), readSealKey(path)] : [readSealKey(path)]);
  }

  /** AES-256-GCM (NIST SP 800-38D), random 96-bit IV, bound to the unit and the serial; the text of a file. */
  seal(secret: Secret, unit: string, serial: string): string {
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.keys[0], iv, { authTagLength: 16 });
    cipher.setAAD(lengthPrefixed([unit, serial]));
    const sealed = Buffer.concat([cipher.update(secret.bytes), cipher.final(), cipher.getAuthTag()]);
    return `${JSON.stringify({ v: 1, iv: iv.toString('base64'), sealed: sealed.toString('base64') })}\n`;
  }

  /** The inverse of seal. Throws CONFIG_INVALID when the text was sealed by another key, for another unit, or changed. */
  unseal(text: string, unit: string, serial: string): Secret {
    let why: unknown;
    for (const key of this.keys) {
      try {
        return unsealWith(key, text, unit, serial);
      } catch (cause) {
        why = cause;
      }
    }
    throw new KeysteadError(
      'CONFIG_INVALID',
      `the seal key does not open this unit's PIN; put back the seal key, or the pin.sealed, of its provisioning; ${LOST}`,
      { cause: why },
    );
  }

  /** A name for a secret that only a holder of the seal key can compare: 64 hex digits. */
  nameOf(secret: Secret): string {
    return nameWith(this.keys[0], secret);
  }

  /** Whether the name is the secret's, under this key or the one before. */
  isNameOf(name: string, secret: Secret): boolean {
    return this.keys.some((key) => nameWith(key, secret) === name);
  }
}

function unsealWith(key: Buffer, text: string, unit: string, serial: string): Secret {
  const { iv, sealed } = Sealed.parse(JSON.parse(text));
  const bytes = Buffer.from(sealed, 'base64');
  const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(iv, 'base64'), { authTagLength: 16 });
  decipher.setAAD(lengthPrefixed([unit, serial]));
  decipher.setAuthTag(bytes.subarray(-16));
  return new Secret(Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()]));
}

function nameWith(key: Buffer, secret: Secret): string {
  return createHmac('sha256', key).update('keystead/pin-name/v1').update(secret.bytes).digest('hex');
}

function readSealKey(path: string): Buffer {
  const key = readPrivateFile(path);
  if (key?.length === SEAL_KEY_BYTES) return key;
  throw new KeysteadError('CONFIG_INVALID', `the seal key ${path} must be a file of 32 bytes with mode 0400`);
}

const Sealed = z.strictObject({ v: z.literal(1), iv: z.base64().length(16), sealed: z.base64().min(24) });

/** link(2) gives the name to the first one only; whoever comes later uses what is there. */
export function makeSealKey(path: string): void {
  const own = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  writeDurably(own, randomBytes(SEAL_KEY_BYTES), 0o400);
  try {
    linkSync(own, path);
    fsyncDir(dirname(path));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
  } finally {
    rmSync(own, { force: true });
  }
}

import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { linkSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { lengthPrefixed } from '../shared/bytes.js';
import { fsyncDir, isThere, readPrivateFile, writeDurably } from '../shared/durable-file.js';
import { KeysteadError } from '../shared/errors.js';
import { Secret } from '../shared/secret.js';

const SEAL_KEY_BYTES = 32;

/** The key that seals PINs at rest. Made once, by whichever process needs it first; several may try at the same time. */
export class SealKey {
  private constructor(private readonly key: Buffer) {}

  /** Throws CONFIG_INVALID unless the file is private and holds 32 bytes. `make`: when there is none, make it. */
  static open(path: string, make: boolean): SealKey {
    if (make && !isThere(path)) makeSealKey(path);
    if (!isThere(path)) {
      throw new KeysteadError(
        'CONFIG_INVALID',
        `the seal key ${path} is gone; put it back: the unit's PIN is sealed to it`,
      );
    }
    const key = readPrivateFile(path);
    if (key?.length !== SEAL_KEY_BYTES) {
      throw new KeysteadError('CONFIG_INVALID', `the seal key ${path} must be a file of 32 bytes with mode 0400`);
    }
    return new SealKey(key);
  }

  /** AES-256-GCM (NIST SP 800-38D), random 96-bit IV, bound to the unit and the serial; the text of a file. */
  seal(secret: Secret, unit: string, serial: string): string {
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.key, iv, { authTagLength: 16 });
    cipher.setAAD(lengthPrefixed([unit, serial]));
    const sealed = Buffer.concat([cipher.update(secret.bytes), cipher.final(), cipher.getAuthTag()]);
    return `${JSON.stringify({ v: 1, iv: iv.toString('base64'), sealed: sealed.toString('base64') })}\n`;
  }

  /** The inverse of seal. Throws CONFIG_INVALID when the text was sealed by another key, for another unit, or changed. */
  unseal(text: string, unit: string, serial: string): Secret {
    try {
      const { iv, sealed } = Sealed.parse(JSON.parse(text));
      const bytes = Buffer.from(sealed, 'base64');
      const decipher = createDecipheriv('aes-256-gcm', this.key, Buffer.from(iv, 'base64'), { authTagLength: 16 });
      decipher.setAAD(lengthPrefixed([unit, serial]));
      decipher.setAuthTag(bytes.subarray(-16));
      return new Secret(Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()]));
    } catch (cause) {
      const message =
        "the seal key does not open this unit's PIN; put back the seal key, or the pin.sealed, of its provisioning";
      throw new KeysteadError('CONFIG_INVALID', message, { cause });
    }
  }

  /** A name for a secret that only a holder of the seal key can compare: 64 hex digits. */
  nameOf(secret: Secret): string {
    return createHmac('sha256', this.key).update('keystead/pin-name/v1').update(secret.bytes).digest('hex');
  }
}

const Sealed = z.strictObject({ v: z.literal(1), iv: z.base64().length(16), sealed: z.base64().min(24) });

/** link(2) gives the name to the first one only; whoever comes later uses what is there. */
function makeSealKey(path: string): void {
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

import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { provisionSoftHsm } from '../pkcs11/provision-softhsm.js';
import { backupTokenObject } from '../pkcs11/softhsm-store.js';
import { readPrivateFile } from '../shared/durable-file.js';
import { KeysteadError, needs } from '../shared/errors.js';
import { Secret } from '../shared/secret.js';
import type { AgentLog } from './agent-log.js';
import { SealKey } from './seal.js';
import type { UnitDir } from './unit-dir.js';

const SEALED = 'pin.sealed';
/** The sealed PIN of a token in the making: its serial is not known yet. */
const PENDING = 'pin.pending';

/** Where the PIN of a unit's token comes from, and, for SoftHSM, the token too. */
export interface PinSource {
  /** The user PIN. Throws CONFIG_INVALID when it cannot be read. */
  pin(): Secret;
}

/** A prepared token: the PIN is what its owner wrote to pinFile; Keystead changes none there. */
export function pinFromFile(dir: UnitDir): PinSource {
  return {
    pin: () => {
      const path = dir.config.pinFile ?? '';
      const content = readPrivateFile(path);
      needs(
        content,
        'CONFIG_INVALID',
        `the PIN file '${path}' of unit ${dir.id} must be a regular file that only its owner can read (mode 0400 or 0600)`,
      );
      const end = content.at(-1) === 0x0a ? (content.at(-2) === 0x0d ? -2 : -1) : content.length;
      return new Secret(content.subarray(0, end));
    },
  };
}

/** A SoftHSM token that this agent made: the PIN lies beside it, sealed. */
export function sealedPin(dir: UnitDir, sealKeyPath: string): PinSource {
  return {
    pin: () => {
      const text = dir.read(SEALED)?.toString('utf8');
      needs(text, 'CONFIG_INVALID', `${dir.at(SEALED)} is gone; put it back, or replace the unit`);
      return SealKey.open(sealKeyPath, false).unseal(text, dir.id, dir.serial() ?? '');
    },
  };
}

/** The PIN of a token that this agent made, opened with the key; undefined for any other token. Throws CONFIG_INVALID. */
export function unsealedPin(dir: UnitDir, key: SealKey): Secret | undefined {
  const text = dir.read(SEALED)?.toString('utf8');
  const serial = dir.serial();
  return text === undefined || serial === undefined ? undefined : key.unseal(text, dir.id, serial);
}

/** Seals that PIN to the newest seal key. */
export function resealPin(dir: UnitDir, key: SealKey): void {
  using pin = unsealedPin(dir, key);
  if (pin !== undefined) dir.write(SEALED, key.seal(pin, dir.id, dir.serial() ?? ''));
}

/**
 * Makes the token of a unit that never had one, in an order that a kill at any point only makes begin again:
 * the PIN, durable; the token; the PIN bound to its serial; the serial, last. A token without a serial file never held
 * a key (there is no PIN for it under a serial), so what an interrupted attempt left is removed: never two tokens.
 */
export function provisionOnce(dir: UnitDir, sealKeyPath: string, log: AgentLog): void {
  if (dir.serial() !== undefined) return;
  if (dir.mark()) {
    throw new KeysteadError(
      'TOKEN_LOST',
      `unit ${dir.id} was claimed and its 'serial' file is gone; put its directory back`,
    );
  }
  const sealKey = SealKey.open(sealKeyPath, true);
  rmSync(dir.at('tokens'), { recursive: true, force: true });
  dir.remove('token.object.copy');
  using pin = new Secret(Buffer.from(randomBytes(24).toString('base64url')));
  dir.write(PENDING, sealKey.seal(pin, dir.id, ''));
  const { serial } = provisionSoftHsm({
    unitDir: dir.path,
    module: dir.config.module,
    label: dir.config.label ?? `keystead-${dir.id.slice(0, 8)}`,
    pin,
  });
  backupTokenObject(dir.path);
  dir.write(SEALED, sealKey.seal(pin, dir.id, serial));
  dir.write('serial', `${serial}\n`);
  dir.remove(PENDING);
  log.info({ event: 'provisioned', serial });
}

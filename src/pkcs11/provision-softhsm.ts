import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import pkcs11js, { type Handle, type PKCS11 } from 'pkcs11js';
import { KeysteadError, needs } from '../shared/errors.js';
import type { Secret } from '../shared/secret.js';
import { toKeysteadError } from './ckr.js';
import { Library } from './library.js';
import { MECHANISMS } from './mechanisms.js';
import { fsync, fsyncTokens, replaceFile, tokenDirectories, tokensDirectory } from './softhsm-store.js';
import { unpadded } from './token.js';

export interface SoftHsmUnit {
  /** Absolute path of the unit's directory, which exists. */
  readonly unitDir: string;
  readonly module: string;
  readonly label: string;
  readonly pin: Secret;
}

/** Path of the configuration that SOFTHSM2_CONF must name before the process that opens the unit starts. */
export function softHsmConfPath(unitDir: string): string {
  return join(unitDir, 'softhsm2.conf');
}

/** Writes the unit's softhsm2.conf (0600): its own token directory, and no mechanism that Keystead does not use. */
export function writeSoftHsmConf(unitDir: string): void {
  const lines = [
    `directories.tokendir = ${tokensDirectory(unitDir)}`,
    'objectstore.backend = file',
    'log.level = ERROR',
    'slots.removable = false',
    `slots.mechanisms = ${Object.keys(MECHANISMS).join(',')}`,
  ];
  replaceFile(softHsmConfPath(unitDir), `${lines.join('\n')}\n`);
  fsync(unitDir);
}

/**
 * Makes the one token of a unit: configuration, directory, C_InitToken with an SO PIN that nobody keeps, C_InitPIN. It is
 * durable on return. Run once, before any key exists: SoftHSM can lose a whole token when it is killed in a PIN change.
 * When it was cut off, the caller removes the tokens (dropTokens) and calls again; UNIT_FAULT while any are there.
 * CONFIG_INVALID when SOFTHSM2_CONF, in the real environment of this process, is not the unit's own file.
 */
export function provisionSoftHsm({ unitDir, module, label, pin }: SoftHsmUnit): { serial: string } {
  needs(
    tokenDirectories(unitDir).length === 0,
    'UNIT_FAULT',
    `${tokensDirectory(unitDir)} holds a token already; a unit has one, remove what an interrupted provisioning left`,
  );
  writeSoftHsmConf(unitDir);
  mkdirSync(tokensDirectory(unitDir), { recursive: true, mode: 0o700 });
  const library = Library.load(module);
  library.initialize();
  try {
    const serial = makeToken(library.native, label, pin);
    needs(tokenDirectories(unitDir).length === 1, 'CONFIG_INVALID', wrongConf(unitDir));
    fsyncTokens(unitDir);
    return { serial };
  } catch (cause) {
    throw toKeysteadError(cause, `SoftHSM made no token in ${unitDir}; remove its tokens and try again`);
  } finally {
    library.finalize();
  }
}

function makeToken(lib: PKCS11, label: string, pin: Secret): string {
  const [slot, ...others] = lib.C_GetSlotList(true);
  if (!slot || others.length > 0)
    throw new KeysteadError('CONFIG_INVALID', 'SOFTHSM2_CONF names a directory with other tokens');
  // SoftHSM wraps the token's own key under the SO PIN as well as the user's: random, and forgotten here
  const soPin = randomBytes(24).toString('base64url');
  lib.C_InitToken(slot, soPin, padded(label));
  setUserPin(lib, slot, soPin, pin);
  return unpadded(lib.C_GetTokenInfo(slot).serialNumber);
}

const LABEL_BYTES = 32;

function padded(label: string): string {
  const length = Buffer.byteLength(label);
  needs(
    length > 0 && length <= LABEL_BYTES,
    'BAD_REQUEST',
    `a token label has 1 to ${LABEL_BYTES} bytes, not ${length}`,
  );
  return label + ' '.repeat(LABEL_BYTES - length);
}

function setUserPin(lib: PKCS11, slot: Handle, soPin: string, pin: Secret): void {
  const session = lib.C_OpenSession(slot, pkcs11js.CKF_RW_SESSION | pkcs11js.CKF_SERIAL_SESSION);
  lib.C_Login(session, pkcs11js.CKU_SO, soPin);
  lib.C_InitPIN(session, pin.bytes.toString('utf8'));
  lib.C_CloseSession(session);
}

function wrongConf(unitDir: string): string {
  return `SOFTHSM2_CONF is not ${softHsmConfPath(unitDir)}; it must be set before the process starts`;
}

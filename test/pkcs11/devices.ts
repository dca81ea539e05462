import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Capabilities } from '../../src/pkcs11/capabilities.js';
import { findNssSoftoken, findSoftHsm } from '../../src/pkcs11/find-module.js';
import { provisionSoftHsm, softHsmConfPath } from '../../src/pkcs11/provision-softhsm.js';
import { fsyncTokens } from '../../src/pkcs11/softhsm-store.js';
import type { OpenToken } from '../../src/pkcs11/unit-token.js';
import { Secret } from '../../src/shared/secret.js';
import { keepLoaded, realEnv } from './real-env.js';

/** A token made for one spec. */
export interface TestToken {
  readonly wanted: OpenToken;
  readonly unitDir: string;
  remove(): void;
}

/** A module under test. Its limits are data: what it is expected to answer to the capability probe. */
export interface Device {
  readonly name: string;
  make(): TestToken;
  readonly expected: Omit<Capabilities, 'module'>;
}

export const softHsm: Device = {
  name: 'SoftHSM2',
  make: makeSoftHsm,
  expected: {
    verified: true,
    missing: [],
    aesKw: true,
    aesGcm: 'caller-iv',
    hmacSha256: true,
    ecP256Sign: true,
    oaepUnwrap: ['SHA-1'],
    oaepFallback: true,
    kwp: 0x210a,
    signing: ['RSA', 'EC-P256', 'EC-P384'],
    unwrapWithValueLen: false,
    dataObjects: true,
    copyToSession: true,
    refusesWrapOfUnextractable: true,
  },
};

const nss: Device = {
  name: 'NSS softoken',
  make: makeNss,
  expected: {
    ...softHsm.expected,
    oaepUnwrap: ['SHA-256', 'SHA-1'],
    oaepFallback: false,
    kwp: 0x210b,
    unwrapWithValueLen: true,
    dataObjects: false,
    refusesWrapOfUnextractable: false,
  },
};

/** SoftHSM always; NSS softoken where it and certutil are installed. */
export const devices: readonly Device[] = [softHsm, ...(findNssSoftoken() && hasCertutil() ? [nss] : [])];

export function softHsmModule(): string {
  const module = findSoftHsm();
  if (!module) throw new Error('SoftHSM 2 is not installed: apt-get install softhsm2');
  return module;
}

/** A user PIN as provisioning makes it. */
export function freshPin(): Secret {
  return new Secret(Buffer.from(randomBytes(24).toString('base64url')));
}

export function temporaryDir(): string {
  return mkdtempSync(join(tmpdir(), 'keystead-pkcs11-'));
}

function makeSoftHsm(): TestToken {
  const module = softHsmModule();
  keepLoaded(module);
  const unitDir = temporaryDir();
  realEnv.SOFTHSM2_CONF = softHsmConfPath(unitDir);
  const pin = freshPin();
  const { serial } = provisionSoftHsm({ unitDir, module, label: 'unit-1', pin });
  const durable = () => fsyncTokens(unitDir);
  return { wanted: { module, serial, pin, recordStore: 'token', durable }, unitDir, remove: () => removeDir(unitDir) };
}

function makeNss(): TestToken {
  const module = findNssSoftoken() ?? '';
  keepLoaded(module);
  const unitDir = temporaryDir();
  const pin = freshPin();
  const pinFile = join(unitDir, 'pin');
  writeFileSync(pinFile, pin.bytes, { mode: 0o600 });
  execFileSync('certutil', ['-N', '-d', `sql:${unitDir}`, '-f', pinFile]);
  const parameters = `configdir='sql:${unitDir}' certPrefix='' keyPrefix='' secmod='secmod.db' flags=`;
  const wanted = { module, parameters, label: 'NSS Certificate DB', pin, recordStore: 'file' } as const;
  return { wanted, unitDir, remove: () => removeDir(unitDir) };
}

function removeDir(dir: string): void {
  rmSync(dir, { recursive: true, force: true });
}

function hasCertutil(): boolean {
  try {
    execFileSync('certutil', ['-H'], { stdio: 'ignore' });
    return true;
  } catch (cause) {
    // certutil -H prints its help and exits with 1; only a missing program has no status
    return (cause as { status?: number | null }).status === 1;
  }
}

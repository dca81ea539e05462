import { existsSync } from 'node:fs';

const SOFTHSM_PATHS = [
  '/usr/lib/softhsm/libsofthsm2.so', // Debian, Ubuntu
  '/usr/lib64/pkcs11/libsofthsm2.so', // Fedora, RHEL
  '/usr/lib64/softhsm/libsofthsm2.so',
  '/usr/lib/pkcs11/libsofthsm2.so', // Arch
  '/usr/local/lib/softhsm/libsofthsm2.so', // built from source
  '/opt/homebrew/lib/softhsm/libsofthsm2.so', // Homebrew on Apple silicon
  '/usr/local/opt/softhsm/lib/softhsm/libsofthsm2.so', // Homebrew on Intel
] as const;

const SOFTOKEN_PATHS = [
  '/usr/lib/x86_64-linux-gnu/libsoftokn3.so',
  '/usr/lib/aarch64-linux-gnu/libsoftokn3.so',
  '/usr/lib64/libsoftokn3.so',
  '/opt/homebrew/opt/nss/lib/libsoftokn3.dylib',
  '/usr/local/opt/nss/lib/libsoftokn3.dylib',
] as const;

/** Path of the installed SoftHSM 2 module; undefined when there is none at a known place. */
export function findSoftHsm(): string | undefined {
  return SOFTHSM_PATHS.find((path) => existsSync(path));
}

/** Path of the installed NSS softoken, the second module that the tests cover; undefined when there is none. */
export function findNssSoftoken(): string | undefined {
  return SOFTOKEN_PATHS.find((path) => existsSync(path));
}

import { runInThisContext } from 'node:vm';
import { Library } from '../../src/pkcs11/library.js';

/**
 * The environment that libsofthsm2 sees. Jest hands specs a copy of process.env, on which an assignment never becomes a
 * setenv; code run in the main context gets at the real one. Call before the module is initialised: SoftHSM reads
 * SOFTHSM2_CONF in C_Initialize.
 */
export const realEnv = runInThisContext('process.env') as NodeJS.ProcessEnv;

const kept = runInThisContext('globalThis.keptByPkcs11Specs ??= []') as unknown[];

/** Keeps the module loaded as long as this Jest worker lives: SoftHSM crashes when it is unloaded between two spec files. */
export function keepLoaded(module: string): void {
  kept.push(Library.load(module).native);
}

import { randomBytes } from 'node:crypto';

/**
 * Jest runs specs in a realm of their own, whose typed arrays are not built on the ArrayBuffer that it shows them.
 * shamirs-secret-sharing then takes its random bytes for nothing and puts the secret into every share (the guards of
 * splitMasterKey notice). This gives it bytes of the realm that it recognises. Returns what puts the old ones back.
 */
export function useSameRealmRandom(): () => void {
  const original = globalThis.crypto;
  const ours = { getRandomValues: (view: ArrayBufferView) => randomBytes(view.byteLength) };
  Object.defineProperty(globalThis, 'crypto', { value: ours, configurable: true });
  return () => Object.defineProperty(globalThis, 'crypto', { value: original, configurable: true });
}

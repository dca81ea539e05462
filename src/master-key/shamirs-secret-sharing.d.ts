/** The part we use. `random` is left out on purpose: a generator of the wrong type puts the secret into single shares. */
declare module 'shamirs-secret-sharing' {
  export function split(secret: Buffer, options: { shares: number; threshold: number }): Uint8Array[];
  export function combine(shares: readonly Buffer[]): Uint8Array;
}

import { ACTIVE, DEACTIVATED, DESTROYED, type KeyState, SUSPENDED } from '../../src/keys/key-state.js';
import { PERMISSIONS } from '../../src/shared/permissions.js';
import { until } from '../until.js';
import { type KeyProtectWorld, policyCollection } from './key-protect-world.js';

export const KINDS = ['root', 'standard'] as const;
export type Kind = (typeof KINDS)[number];

/** The states that keys of a kind get into. */
export const STATES = {
  root: [ACTIVE, SUSPENDED, DEACTIVATED, DESTROYED],
  standard: [ACTIVE, DEACTIVATED, DESTROYED],
} as const satisfies Record<Kind, readonly KeyState[]>;

export interface KeyInState {
  readonly id: string;
  /** The key has aliases that begin so, one for each role that may take them away: `made-1-Writer`. */
  readonly alias: string;
  /** What it encrypted while it was active; for a standard key something that no key encrypted. */
  readonly ciphertext: string;
}

const LIVES_MS = 1_500;

/** Keys of each kind in each state, brought there by what clients send; one for many to look at, until it is dropped. */
export class KeysInStates {
  readonly #keys = new Map<string, KeyInState>();
  #made = 0;

  constructor(
    private readonly w: KeyProtectWorld,
    /** Headers of somebody who may give the second authorisation. */
    private readonly second: Readonly<Record<string, string>>,
  ) {}

  async one(kind: Kind, state: KeyState, dual: boolean): Promise<KeyInState> {
    const name = `${kind} ${state} ${dual}`;
    const key = this.#keys.get(name) ?? (await this.#make(kind, state, dual));
    this.#keys.set(name, key);
    return key;
  }

  drop(key: KeyInState): void {
    for (const [name, one] of this.#keys) if (one === key) this.#keys.delete(name);
  }

  async #make(kind: Kind, state: KeyState, dual: boolean): Promise<KeyInState> {
    this.#made += 1;
    const alias = `made-${this.#made}`;
    const expirationDate = state === DEACTIVATED ? { expirationDate: new Date(Date.now() + LIVES_MS) } : {};
    const aliases = PERMISSIONS['key-alias.write'].map((role) => `${alias}-${role}`);
    const { id } = await this.w.create({ extractable: kind === 'standard', aliases, ...expirationDate });
    const path = `/api/v2/keys/${id}`;
    const ciphertext = kind === 'root' ? (await this.#send('POST', `${path}/actions/wrap`)).ciphertext : 'AAAA';
    if (dual) {
      const body = policyCollection({ dualAuthDelete: { enabled: true } });
      await this.#send('PUT', `${path}/policies`, { body });
    }
    if (state === SUSPENDED) await this.#send('POST', `${path}/actions/disable`);
    if (state === DESTROYED) {
      if (dual) await this.#send('POST', `${path}/actions/setKeyForDeletion`);
      await this.#send('DELETE', path, dual ? { headers: this.second } : {});
    }
    const shown = async () => (await this.#send('GET', `${path}/metadata`)).resources[0].state;
    await until(async () => (await shown()) === state, 10_000);
    return { id, alias, ciphertext };
  }

  async #send(...asked: Parameters<KeyProtectWorld['send']>) {
    const { status, body, text } = await this.w.send(...asked);
    if (status >= 300) throw new Error(`${asked[0]} ${asked[1]} → ${status} ${text}`);
    return body;
  }
}

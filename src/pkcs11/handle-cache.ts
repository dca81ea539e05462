import { createHash } from 'node:crypto';
import type { Handle } from 'pkcs11js';
import { RecentMap } from '../shared/recent-map.js';
import type { Token } from './token.js';

/** Session objects by what they were made of, the least recently used destroyed first. */
export class HandleCache {
  readonly #handles: RecentMap<Handle>;

  constructor(token: Token, capacity: number) {
    this.#handles = new RecentMap(capacity, (handle) => token.discard(handle));
  }

  /** The object made of these parts, made now unless it is there. Throws what `make` throws. */
  of(parts: readonly Buffer[], make: () => Handle): Handle {
    const hash = createHash('sha256');
    for (const part of parts) hash.update(part);
    return this.#handles.of(hash.digest('base64'), make);
  }

  /** Destroys every object. */
  forget(): void {
    this.#handles.clear();
  }
}

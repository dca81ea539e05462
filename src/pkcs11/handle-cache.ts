import { createHash } from 'node:crypto';
import type { Handle } from 'pkcs11js';
import type { Token } from './token.js';

/** Session objects by what they were made of, the least recently used destroyed first. */
export class HandleCache {
  readonly #handles = new Map<string, Handle>();

  constructor(
    private readonly token: Token,
    private readonly capacity: number,
  ) {}

  /** The object made of these parts, made now unless it is there. Throws what `make` throws. */
  of(parts: readonly Buffer[], make: () => Handle): Handle {
    const hash = createHash('sha256');
    for (const part of parts) hash.update(part);
    const name = hash.digest('base64');
    const handle = this.#handles.get(name) ?? make();
    this.#handles.delete(name);
    this.#handles.set(name, handle);
    const [oldest] = this.#handles;
    if (oldest && this.#handles.size > this.capacity) {
      this.#handles.delete(oldest[0]);
      this.token.discard(oldest[1]);
    }
    return handle;
  }

  /** Destroys every object. */
  forget(): void {
    for (const handle of this.#handles.values()) this.token.discard(handle);
    this.#handles.clear();
  }
}

/** A place in a list, by which its value is taken out again. */
export interface Entry<Value> {
  readonly value: Value;
}

interface Link<Value> extends Entry<Value> {
  before: Link<Value> | undefined;
  after: Link<Value> | undefined;
}

/**
 * Values in the order in which they came, each of which goes when it likes (a doubly linked list). For what comes and goes
 * with every request: a Set that lives long is copied again and again in V8's old generation, and each copy that was left
 * keeps alive what it held then, until a major collection.
 */
export class LinkedList<Value> {
  #first: Link<Value> | undefined;
  #last: Link<Value> | undefined;

  add(value: Value): Entry<Value> {
    const link: Link<Value> = { value, before: this.#last, after: undefined };
    if (this.#last === undefined) this.#first = link;
    else this.#last.after = link;
    this.#last = link;
    return link;
  }

  /** Takes out what `add` gave; it must be in this list. */
  remove(entry: Entry<Value>): void {
    const link = entry as Link<Value>;
    const { before, after } = link;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    link.before = undefined; // an old link that is gone must not keep younger ones alive
    link.after = undefined;
  }

  *[Symbol.iterator](): Iterator<Value> {
    for (let link = this.#first; link !== undefined; ) {
      const { after } = link; // it may be taken out by whom it is given to
      yield link.value;
      link = after;
    }
  }
}

/** A map that holds at most so many values: the one that was used longest ago goes first. */
export class RecentMap<Value> {
  /** In the order of their last use. */
  readonly #values = new Map<string, Value>();
  /** The name that was used last: using it again changes nothing. */
  #newest: string | undefined;

  /** `dropped` gets each value that goes, to make room or at `clear`. */
  constructor(
    private readonly capacity: number,
    private readonly dropped: (value: Value) => void = () => undefined,
  ) {}

  /** The value of that name, which is a use of it. */
  get(name: string): Value | undefined {
    const value = this.#values.get(name);
    if (value !== undefined && name !== this.#newest) this.#last(name, value);
    return value;
  }

  set(name: string, value: Value): void {
    this.#last(name, value);
    if (this.#values.size <= this.capacity) return;
    const [oldest] = this.#values;
    if (oldest === undefined) return;
    this.#values.delete(oldest[0]);
    this.dropped(oldest[1]);
  }

  /** The value of that name, made now unless it is there. Throws what `make` throws. */
  of(name: string, make: () => Value): Value {
    const known = this.get(name);
    if (known !== undefined) return known;
    const made = make();
    this.set(name, made);
    return made;
  }

  clear(): void {
    const values = [...this.#values.values()];
    this.#values.clear();
    for (const value of values) this.dropped(value);
  }

  #last(name: string, value: Value): void {
    this.#values.delete(name);
    this.#values.set(name, value);
    this.#newest = name;
  }
}

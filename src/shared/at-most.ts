/** Lets so many pieces of work be under way at once; the others wait for their turn, in the order in which they came. */
export class AtMost {
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;

  constructor(private readonly most: number) {}

  /** What the work gives, or throws. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#underWay === this.most) await new Promise<void>((begin) => this.#waiting.push(begin));
    else this.#underWay += 1;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#underWay -= 1;
    }
  }
}

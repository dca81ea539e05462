/**
 * How values that were observed are spread over ranges: what a Prometheus histogram shows. Observing allocates nothing, so
 * it may stand on the way of every request.
 */
export class Distribution {
  /** Upper bounds, ascending. One more range is above the last of them. */
  readonly bounds: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    let at = 0;
    while (at < this.bounds.length && value > (this.bounds[at] as number)) at += 1;
    this.#counts[at] = (this.#counts[at] as number) + 1;
    this.#sum += value;
  }

  /** Of all values. */
  get sum(): number {
    return this.#sum;
  }

  /** For each bound how many values were not above it, and last how many there were. */
  cumulated(): number[] {
    let all = 0;
    return Array.from(this.#counts, (count) => {
      all += count;
      return all;
    });
  }
}

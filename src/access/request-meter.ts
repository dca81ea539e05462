import { Injectable } from '@nestjs/common';
import { Distribution } from '../shared/distribution.js';

const BOUNDS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** How many requests there were, what came of them, and how long they took. */
@Injectable()
export class RequestMeter {
  /** By act, instance ('' for requests that are about none) and outcome. */
  readonly #requests = new Map<string, Map<string, Map<string, Distribution>>>();

  /** `outcome` is success, or the code of the refusal. */
  note(act: string, instance: string | undefined, outcome: string, seconds: number): void {
    const taken =
      this.#requests
        .get(act)
        ?.get(instance ?? '')
        ?.get(outcome) ?? this.#first(act, instance ?? '', outcome);
    taken.observe(seconds);
  }

  #first(act: string, instance: string, outcome: string): Distribution {
    const instances = this.#requests.get(act) ?? new Map<string, Map<string, Distribution>>();
    const outcomes = instances.get(instance) ?? new Map<string, Distribution>();
    const taken = new Distribution(BOUNDS_S);
    this.#requests.set(act, instances.set(instance, outcomes.set(outcome, taken)));
    return taken;
  }

  *read(): Iterable<{ labels: Readonly<Record<'act' | 'instance' | 'outcome', string>>; value: Distribution }> {
    for (const [act, instances] of this.#requests) {
      for (const [instance, outcomes] of instances) {
        for (const [outcome, value] of outcomes) yield { labels: { act, instance, outcome }, value };
      }
    }
  }
}

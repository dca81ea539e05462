import { Injectable } from '@nestjs/common';
import { Histogram, Registry } from 'prom-client';

const BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** How many requests there were, what came of them, and how long they took, for whoever scrapes this process. */
@Injectable()
export class RequestMeter {
  readonly registry = new Registry();
  readonly #requests = new Histogram({
    name: 'keystead_request_duration_seconds',
    help: 'Commands and queries by act, instance and outcome, from the gate to the answer',
    labelNames: ['act', 'instance', 'outcome'],
    buckets: BUCKETS_S,
    registers: [this.registry],
  });

  /** `outcome` is success, or the code of the refusal. */
  note(act: string, instance: string | undefined, outcome: string, seconds: number): void {
    this.#requests.observe({ act, instance: instance ?? '', outcome }, seconds);
  }
}

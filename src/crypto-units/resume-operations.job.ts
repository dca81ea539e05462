import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { Logger } from 'pino';
import { LOG } from '../config/log.js';
import { messageOf } from '../shared/errors.js';
import { Operations } from './operations.js';

const EVERY_MS = 5_000;

/** Carries on, from the start of the server, what it or another server left pending. */
@Injectable()
export class ResumeOperations implements OnApplicationBootstrap, OnApplicationShutdown {
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> = Promise.resolve();

  constructor(
    private readonly operations: Operations,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.#begin();
    this.#timer = setInterval(() => this.#begin(), EVERY_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.#timer);
    await this.#round;
  }

  #begin(): void {
    this.#round = this.#round
      .then(() => this.operations.resume())
      .catch((cause) => this.log.warn({ event: 'operations-not-resumed', cause: messageOf(cause) }));
  }
}

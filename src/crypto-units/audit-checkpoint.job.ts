import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { Logger } from 'pino';
import { Config } from '../config/config.js';
import { LOG } from '../config/log.js';
import { messageOf } from '../shared/errors.js';
import { AuditCheckpoints } from './audit-checkpoints.js';

/** Has a checkpoint signed whenever its time has come and the log has grown. */
@Injectable()
export class AuditCheckpointJob implements OnApplicationBootstrap, OnApplicationShutdown {
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;
  readonly #stopped = new AbortController();

  constructor(
    private readonly checkpoints: AuditCheckpoints,
    private readonly config: Config,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.#timer = setInterval(() => {
      this.#round ??= this.run()
        .catch((cause) => this.log.warn({ event: 'audit-checkpoint-not-taken', cause: messageOf(cause) }))
        .finally(() => {
          this.#round = undefined;
        });
    }, this.config.timers.auditCheckpoint);
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopped.abort();
    await this.#round;
  }

  async run(): Promise<void> {
    if (!(await this.checkpoints.due())) return;
    const { failed } = await this.checkpoints.take(this.#stopped.signal);
    for (const { unitId, message } of failed) {
      this.log.error({ event: 'audit-checkpoint-failed', unit: unitId, cause: message });
    }
  }
}

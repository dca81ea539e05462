import { Controller, Get, Res } from '@nestjs/common';
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { Caller } from '../access/caller.js';
import { Gate } from '../access/gate.js';
import { RequestMeter } from '../access/request-meter.js';
import { AuditLog } from '../audit/audit-log.js';
import { AuditWatch } from '../audit/audit-watch.js';
import { Fleet } from '../crypto-units/fleet.js';
import { DatabaseWatch } from '../database/database-watch.js';
import { AskedBy } from '../http/asked-by.js';
import { PairPool } from '../import-tokens/pair-pool.job.js';
import { KeyIntegrity } from '../keys/key-integrity.js';
import { exposition } from './exposition.js';
import { HealthBoard } from './health-board.js';
import { METRICS, type MetricSources } from './metrics.js';
import { ReadMetrics } from './read-metrics.query.js';

interface Reply {
  header(name: string, value: string): Reply;
}

/** Metrics in the text format of Prometheus. They name instances and units, so they want a key with any role. */
@Controller()
export class MetricsController {
  /** The process: memory, processor, event loop, garbage collection. */
  readonly #process = new Registry();

  constructor(
    private readonly gate: Gate,
    private readonly requests: RequestMeter,
    private readonly board: HealthBoard,
    private readonly fleet: Fleet,
    private readonly audit: AuditLog,
    private readonly watch: AuditWatch,
    private readonly database: DatabaseWatch,
    private readonly pairs: PairPool,
    private readonly keys: KeyIntegrity,
  ) {
    collectDefaultMetrics({ register: this.#process, prefix: 'keystead_' });
  }

  @Get('metrics')
  async metrics(@AskedBy() caller: Caller, @Res({ passthrough: true }) reply: Reply): Promise<string> {
    await this.gate.ask(caller, new ReadMetrics());
    reply.header('Content-Type', this.#process.contentType);
    return exposition(METRICS, this.#sources()) + (await this.#process.metrics());
  }

  #sources(): MetricSources {
    const { requests, board, audit, database, pairs, keys } = this;
    const units = board.units().map((view) => ({ view, link: this.fleet.link(view.id) }));
    return { requests, units, audit, auditWritable: this.watch.writable, database, pairs, keys, board };
  }
}

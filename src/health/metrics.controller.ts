import { Controller, Get, Res } from '@nestjs/common';
import { collectDefaultMetrics, Gauge } from 'prom-client';
import type { Caller } from '../access/caller.js';
import { Gate } from '../access/gate.js';
import { RequestMeter } from '../access/request-meter.js';
import { AskedBy } from '../http/asked-by.js';
import { HealthBoard } from './health-board.js';
import { ReadMetrics } from './read-metrics.query.js';

interface Reply {
  header(name: string, value: string): Reply;
}

/** Metrics in the text format of Prometheus. They name instances and units, so they want a key with any role. */
@Controller()
export class MetricsController {
  readonly #serving: Gauge;
  readonly #restarts: Gauge;

  constructor(
    private readonly gate: Gate,
    private readonly meter: RequestMeter,
    private readonly board: HealthBoard,
  ) {
    const { registry } = meter;
    const labelNames = ['instance', 'unit'];
    const of = (name: string, help: string) => new Gauge({ name, help, labelNames, registers: [registry] });
    this.#serving = of('keystead_unit_serving', '1 while the crypto unit serves requests of keys');
    this.#restarts = of('keystead_unit_agent_restarts', 'How often this server started the agent of the unit again');
    collectDefaultMetrics({ register: registry, prefix: 'keystead_' });
  }

  @Get('metrics')
  async metrics(@AskedBy() caller: Caller, @Res({ passthrough: true }) reply: Reply): Promise<string> {
    await this.gate.ask(caller, new ReadMetrics());
    for (const gauge of [this.#serving, this.#restarts]) gauge.reset(); // a unit that was replaced is gone from here too
    for (const { id, instanceId, serving, agent } of this.board.units()) {
      this.#serving.set({ instance: instanceId, unit: id }, serving ? 1 : 0);
      this.#restarts.set({ instance: instanceId, unit: id }, agent.restarts);
    }
    reply.header('Content-Type', this.meter.registry.contentType);
    return this.meter.registry.metrics();
  }
}

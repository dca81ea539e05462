import { Controller, Get, HttpCode, Post, Query } from '@nestjs/common';
import { z } from 'zod';
import type { Caller } from '../access/caller.js';
import { Gate } from '../access/gate.js';
import { ReadAudit, ReadAuditHead, ReadAuditLines } from '../access/read-audit.query.js';
import { ReadCheckpoints, TakeCheckpoint } from '../crypto-units/audit-checkpoint.command.js';
import { AskedBy } from '../http/asked-by.js';

const PAGE_LINES = 500;
const whole = z.coerce.number().int().min(1);
const text = z.string().min(1).max(255).optional();
const moment = z.iso
  .datetime()
  .transform((at) => new Date(at))
  .optional();
const Filter = z.strictObject({
  limit: whole.max(1000).optional(),
  before: whole.optional(),
  act: text,
  outcome: z.enum(['success', 'failure']).optional(),
  by: text,
  instanceId: text,
  unitId: text,
  target: text,
  correlationId: text,
  since: moment,
  until: moment,
});
const Stretch = z.strictObject({
  after: z.coerce.number().int().min(0),
  limit: whole.max(PAGE_LINES).default(PAGE_LINES),
});

@Controller('api/v1/audit')
export class AuditController {
  constructor(private readonly gate: Gate) {}

  @Get()
  async list(@AskedBy() caller: Caller, @Query({ schema: Filter }) filter: z.infer<typeof Filter>) {
    return { lines: await this.gate.ask(caller, new ReadAudit(filter)) };
  }

  @Get('lines')
  async lines(@AskedBy() caller: Caller, @Query({ schema: Stretch }) { after, limit }: z.infer<typeof Stretch>) {
    return { lines: await this.gate.ask(caller, new ReadAuditLines(after, limit)) };
  }

  @Get('head')
  head(@AskedBy() caller: Caller) {
    return this.gate.ask(caller, new ReadAuditHead());
  }

  @Get('checkpoints')
  async checkpoints(@AskedBy() caller: Caller) {
    return { checkpoints: await this.gate.ask(caller, new ReadCheckpoints()) };
  }

  @Post('checkpoints')
  @HttpCode(200)
  checkpoint(@AskedBy() caller: Caller) {
    return this.gate.ask(caller, new TakeCheckpoint(caller));
  }
}

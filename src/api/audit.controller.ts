import { Controller, Get, Query } from '@nestjs/common';
import { z } from 'zod';
import type { Caller } from '../access/caller.js';
import { Gate } from '../access/gate.js';
import { ReadAudit } from '../access/read-audit.query.js';
import { AskedBy } from '../http/asked-by.js';

const whole = z.coerce.number().int().min(1);
const Page = z.strictObject({ limit: whole.max(1000).optional(), before: whole.optional() });

@Controller('api/v1/audit')
export class AuditController {
  constructor(private readonly gate: Gate) {}

  @Get()
  async list(@AskedBy() caller: Caller, @Query({ schema: Page }) page: z.infer<typeof Page>) {
    return { lines: await this.gate.ask(caller, new ReadAudit(page)) };
  }
}

import { Body, Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { z } from 'zod';
import type { Caller } from '../access/caller.js';
import { Gate } from '../access/gate.js';
import { ReadOperation, RunCommands } from '../crypto-units/run-commands.command.js';
import { AskedBy } from '../http/asked-by.js';
import { Uuid } from '../http/uuid.js';

/** Many times what the longest command takes; it is kept as evidence, and goes to the agent in one frame. */
const MAX_DOCUMENT_LENGTH = 128 << 10;
const Documents = z.strictObject({ documents: z.array(z.string().min(1).max(MAX_DOCUMENT_LENGTH)).min(1).max(3) });

/** Signed admin commands, relayed as they are, and what the units made of them. */
@Controller('api/v1/operations')
export class OperationsController {
  constructor(private readonly gate: Gate) {}

  @Post()
  @HttpCode(200)
  run(@AskedBy() caller: Caller, @Body({ schema: Documents }) { documents }: z.infer<typeof Documents>) {
    return this.gate.ask(caller, new RunCommands(caller, documents));
  }

  @Get(':id')
  show(@AskedBy() caller: Caller, @Param('id', { schema: Uuid }) id: string) {
    return this.gate.ask(caller, new ReadOperation(id));
  }
}

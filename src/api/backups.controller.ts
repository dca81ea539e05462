import { Readable } from 'node:stream';
import { Controller, HttpCode, Post, StreamableFile } from '@nestjs/common';
import type { Caller } from '../access/caller.js';
import { Gate } from '../access/gate.js';
import { TakeBackup } from '../access/take-backup.command.js';
import { AskedBy } from '../http/asked-by.js';

@Controller('api/v1/backups')
export class BackupsController {
  constructor(private readonly gate: Gate) {}

  /** An answer that breaks off is no backup: its last line says how it must end. */
  @Post()
  @HttpCode(200)
  async take(@AskedBy() caller: Caller) {
    const text = await this.gate.ask(caller, new TakeBackup(caller));
    return new StreamableFile(Readable.from(text), { type: 'application/x-ndjson' });
  }
}

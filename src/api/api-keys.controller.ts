import { Body, Controller, Delete, Get, HttpCode, Param, Post } from '@nestjs/common';
import { z } from 'zod';
import { CreateApiKey, RevokeApiKey } from '../access/api-keys.command.js';
import type { Caller } from '../access/caller.js';
import { Gate } from '../access/gate.js';
import { ListApiKeys } from '../access/list-api-keys.query.js';
import { AskedBy } from '../http/asked-by.js';
import { ROLES } from '../shared/permissions.js';

const Role = z.enum(ROLES);
const Scope = z.strictObject({
  role: Role,
  instanceId: z.uuid().optional(),
  keyRingId: z
    .string()
    .regex(/^[A-Za-z0-9_-]{2,100}$/, 'must be 2 to 100 letters, digits, hyphens or underscores')
    .optional(),
  keyId: z.uuid().optional(),
});
const NewApiKey = z.strictObject({
  name: z
    .string()
    .min(1)
    .max(100)
    .regex(/^\P{Cc}*$/u, 'must not have control characters'),
  roles: z.array(Role).max(ROLES.length).optional(),
  scopes: z.array(Scope).max(100).optional(),
  expiresAt: z.iso
    .datetime({ offset: true })
    .transform((text) => new Date(text))
    .optional(),
});

/** API keys of callers: made, shown without their text, revoked. */
@Controller('api/v1/api-keys')
export class ApiKeysController {
  constructor(private readonly gate: Gate) {}

  @Post()
  @HttpCode(201)
  create(@AskedBy() caller: Caller, @Body({ schema: NewApiKey }) input: z.infer<typeof NewApiKey>) {
    return this.gate.ask(caller, new CreateApiKey(caller, input));
  }

  @Get()
  async list(@AskedBy() caller: Caller) {
    return { apiKeys: await this.gate.ask(caller, new ListApiKeys()) };
  }

  @Delete(':id')
  revoke(@AskedBy() caller: Caller, @Param('id', { schema: z.uuid() }) id: string) {
    return this.gate.ask(caller, new RevokeApiKey(caller, id));
  }
}

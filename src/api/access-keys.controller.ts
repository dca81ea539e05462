import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { z } from 'zod';
import type { Caller } from '../access/caller.js';
import { Gate } from '../access/gate.js';
import { ACCESS_KEY_DIALECTS, type AccessKeyView, projectIdOf } from '../access-keys/access-key.js';
import { CreateAccessKey, RevokeAccessKey } from '../access-keys/access-keys.command.js';
import { ListAccessKeys } from '../access-keys/list-access-keys.query.js';
import { AskedBy } from '../http/asked-by.js';
import { ROLES } from '../shared/permissions.js';

const Role = z.enum(ROLES);
const NewAccessKey = z.strictObject({
  dialect: z.enum(ACCESS_KEY_DIALECTS),
  instanceId: z.uuid(),
  name: z
    .string()
    .min(1)
    .max(100)
    .regex(/^\P{Cc}*$/u, 'must not have control characters'),
  roles: z.array(Role).max(ROLES.length).optional(),
  scopes: z
    .array(
      z.strictObject({
        role: Role,
        keyRingId: z
          .string()
          .regex(/^[A-Za-z0-9_-]{2,100}$/, 'must be 2 to 100 letters, digits, hyphens or underscores')
          .optional(),
        keyId: z.uuid().optional(),
      }),
    )
    .max(100)
    .optional(),
  expiresAt: z.iso
    .datetime({ offset: true })
    .transform((text) => new Date(text))
    .optional(),
});
const Filter = z.object({ instanceId: z.uuid().optional() });
const Id = z.string().regex(/^[A-Za-z0-9]{1,64}$/, 'must be the id of an access key');

/** Access keys of clients that sign their requests: made, shown without their secret, revoked. */
@Controller('api/v1/access-keys')
export class AccessKeysController {
  constructor(private readonly gate: Gate) {}

  @Post()
  @HttpCode(201)
  async create(@AskedBy() caller: Caller, @Body({ schema: NewAccessKey }) input: z.infer<typeof NewAccessKey>) {
    const { secret, ...made } = await this.gate.ask(caller, new CreateAccessKey(caller, input));
    return { ...shown(made), accessKeySecret: secret };
  }

  @Get()
  async list(@AskedBy() caller: Caller, @Query({ schema: Filter }) filter: z.infer<typeof Filter>) {
    const keys = await this.gate.ask(caller, new ListAccessKeys(caller, filter));
    return { accessKeys: keys.map(shown) };
  }

  @Delete(':id')
  async revoke(@AskedBy() caller: Caller, @Param('id', { schema: Id }) id: string) {
    return shown(await this.gate.ask(caller, new RevokeAccessKey(caller, id)));
  }
}

/** Clients of Huawei's dialect name a project besides. */
function shown({ id, ...key }: AccessKeyView): object {
  return { accessKeyId: id, ...key, ...(key.dialect === 'huawei' && { projectId: projectIdOf(key.instanceId) }) };
}

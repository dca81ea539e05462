import { Body, Controller, Delete, Get, HttpCode, Param, Post } from '@nestjs/common';
import { z } from 'zod';
import type { Caller } from '../access/caller.js';
import { Gate } from '../access/gate.js';
import { Config } from '../config/config.js';
import { DeleteInstance } from '../crypto-units/change-unit.command.js';
import { NameStates } from '../crypto-units/read-units.query.js';
import { AskedBy } from '../http/asked-by.js';
import { Uuid } from '../http/uuid.js';
import { CreateInstance } from '../instances/create-instance.command.js';
import { type InstanceWithUnits, ReadInstances } from '../instances/read-instances.query.js';

const NewInstance = z.strictObject({
  name: z
    .string()
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9 ._-]{0,179}$/,
      'must be 1 to 180 letters, digits, blanks, dots, hyphens or underscores',
    ),
  crypto_units: z
    .union([z.literal(2), z.literal(3), z.literal('2'), z.literal('3')], 'must be 2 or 3, and cannot be changed later')
    .transform((count) => Number(count) as 2 | 3)
    .default(2),
});

/** Service instances: our own control plane, after the resource commands of IBM's CLI. */
@Controller('api/v1/instances')
export class InstancesController {
  constructor(
    private readonly gate: Gate,
    private readonly config: Config,
  ) {}

  @Post()
  @HttpCode(201)
  async create(@AskedBy() caller: Caller, @Body({ schema: NewInstance }) body: z.infer<typeof NewInstance>) {
    const { id } = await this.gate.ask(caller, new CreateInstance(caller, body.name, body.crypto_units));
    return this.show(caller, id);
  }

  @Get()
  async list(@AskedBy() caller: Caller) {
    const found = await this.gate.ask(caller, new ReadInstances());
    return { instances: await Promise.all(found.map((one) => this.#shown(caller, one))) };
  }

  @Get(':id')
  async show(@AskedBy() caller: Caller, @Param('id', { schema: Uuid }) id: string) {
    const [found] = await this.gate.ask(caller, new ReadInstances(id));
    return this.#shown(caller, found as InstanceWithUnits);
  }

  @Delete(':id')
  @HttpCode(204)
  async delete(@AskedBy() caller: Caller, @Param('id', { schema: Uuid }) id: string): Promise<void> {
    await this.gate.ask(caller, new DeleteInstance(caller, id));
  }

  async #shown(caller: Caller, { instance, units }: InstanceWithUnits) {
    return {
      id: instance.id,
      guid: instance.id,
      name: instance.name,
      plan: 'dedicated',
      state: units.every((unit) => unit.serial !== null) ? 'active' : 'in progress',
      created_at: instance.createdAt.toISOString(),
      extensions: { endpoints: { public: this.config.publicUrl } },
      crypto_units: await this.gate.ask(caller, new NameStates(units)),
    };
  }
}

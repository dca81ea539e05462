import { Controller, UseGuards } from '@nestjs/common';
import type { Caller } from '../../access/caller.js';
import { Gate } from '../../access/gate.js';
import { AskedBy } from '../../http/asked-by.js';
import { CreateKeyRing } from '../../key-rings/create-key-ring.command.js';
import { DeleteKeyRing } from '../../key-rings/delete-key-ring.command.js';
import { ListKeyRings } from '../../key-rings/list-key-rings.query.js';
import { CreateAlias, DeleteAlias } from '../../keys/alias.command.js';
import { Admission } from './admission.guard.js';
import { ALIAS_RULES } from './alias-limits.js';
import { type Asked, AskedFor, Serve } from './operation.js';
import * as op from './other-operations.js';
import { ALIAS_TYPE, collectionOf, dateText, present, RING_TYPE } from './wire.js';

const DEFAULT_RINGS = 100;

/** Other names of keys, and the rings they are kept on. */
@Controller()
@UseGuards(Admission)
export class AliasesAndRingsController {
  constructor(private readonly gate: Gate) {}

  @Serve(op.CREATE_ALIAS)
  async createAlias(@AskedBy() caller: Caller, @AskedFor() { target, params }: Asked<typeof op.CREATE_ALIAS>) {
    const alias = params['alias'] ?? '';
    const made = await this.gate.ask(caller, new CreateAlias(caller, target, alias, ALIAS_RULES));
    const { keyId, createdAt, createdBy } = made;
    return collectionOf(ALIAS_TYPE, [{ keyId, alias, creationDate: dateText(createdAt), createdBy }]);
  }

  @Serve(op.DELETE_ALIAS)
  async deleteAlias(
    @AskedBy() caller: Caller,
    @AskedFor() { target, params }: Asked<typeof op.DELETE_ALIAS>,
  ): Promise<void> {
    await this.gate.ask(caller, new DeleteAlias(caller, target, params['alias'] ?? ''));
  }

  @Serve(op.LIST_KEY_RINGS)
  async rings(@AskedBy() caller: Caller, @AskedFor() { target, query }: Asked<typeof op.LIST_KEY_RINGS>) {
    const { limit = DEFAULT_RINGS, offset, totalCount } = query;
    const { rings, total } = await this.gate.ask(caller, new ListKeyRings(caller, target, { limit, offset }));
    const resources = rings.map(({ id, createdAt, createdBy }) =>
      present({ id, creationDate: createdAt && dateText(createdAt), createdBy }),
    );
    return collectionOf(RING_TYPE, resources, { totalCount: totalCount ? total : null });
  }

  @Serve(op.CREATE_KEY_RING)
  async createRing(
    @AskedBy() caller: Caller,
    @AskedFor() { target, params }: Asked<typeof op.CREATE_KEY_RING>,
  ): Promise<void> {
    await this.gate.ask(caller, new CreateKeyRing(caller, target, params['ring'] ?? ''));
  }

  @Serve(op.DELETE_KEY_RING)
  async deleteRing(
    @AskedBy() caller: Caller,
    @AskedFor() { target, params, query }: Asked<typeof op.DELETE_KEY_RING>,
  ): Promise<void> {
    await this.gate.ask(caller, new DeleteKeyRing(caller, target, params['ring'] ?? '', query));
  }
}

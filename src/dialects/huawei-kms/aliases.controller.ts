import { Controller, UseGuards } from '@nestjs/common';
import { Gate } from '../../access/gate.js';
import { CreateAlias, DeleteAlias } from '../../keys/alias.command.js';
import { GetKeyMetadata } from '../../keys/get-key.query.js';
import type { AliasView } from '../../keys/key-view.js';
import { ListAliases } from '../../keys/list-aliases.query.js';
import { MoveAlias } from '../../keys/move-alias.command.js';
import { Admission } from './admission.guard.js';
import * as op from './alias-operations.js';
import { MOST_LISTED } from './key.schemas.js';
import { aliasOf } from './mapping.js';
import { type Asked, AskedFor, Serve } from './operation.js';
import { domainIdOf, REGION } from './project.js';
import { HuaweiRefusal } from './refusals.js';
import { millisecondsText, nextPage } from './wire.js';

/** Further names of keys. The name that a key was created with is among them, and goes only with the key. */
@Controller()
@UseGuards(Admission)
export class AliasesController {
  constructor(private readonly gate: Gate) {}

  @Serve(op.CREATE_ALIAS)
  async create(@AskedFor() { caller, place, body }: Asked<typeof op.CREATE_ALIAS>) {
    const made = await this.gate.ask(caller, new CreateAlias(caller, { ...place, key: body.key_id }, body.alias));
    return viewOf(place.instanceId, made);
  }

  @Serve(op.ASSOCIATE_ALIAS)
  async associate(@AskedFor() { caller, place, body }: Asked<typeof op.ASSOCIATE_ALIAS>) {
    const target = { ...place, key: body.target_key_id };
    const holder = await this.gate.ask(caller, new GetKeyMetadata(caller, { ...place, key: body.alias }));
    assertNotName(body.alias, holder.name);
    return viewOf(place.instanceId, await this.gate.ask(caller, new MoveAlias(caller, target, body.alias)));
  }

  @Serve(op.LIST_ALIASES)
  async list(@AskedFor() { caller, place, query }: Asked<typeof op.LIST_ALIASES>) {
    const { limit = MOST_LISTED, marker: offset = 0 } = query;
    const page = { key: query.key_id || undefined, prefix: 'alias/', limit, offset };
    const { aliases, total } = await this.gate.ask(caller, new ListAliases(caller, place, page));
    const { next_marker } = nextPage(offset, aliases.length, total);
    return {
      aliases: aliases.map((alias) => viewOf(place.instanceId, alias)),
      page_info: { next_marker, current_count: aliases.length },
    };
  }

  @Serve(op.DELETE_ALIASES)
  async delete(@AskedFor() { caller, place, body }: Asked<typeof op.DELETE_ALIASES>): Promise<void> {
    const target = { ...place, key: body.key_id };
    const { name } = await this.gate.ask(caller, new GetKeyMetadata(caller, target));
    for (const alias of body.aliases) assertNotName(alias, name);
    for (const alias of body.aliases) await this.gate.ask(caller, new DeleteAlias(caller, target, alias));
  }
}

function assertNotName(alias: string, name: string): void {
  if (alias === aliasOf(name)) throw new HuaweiRefusal('KMS.1101');
}

function viewOf(instanceId: string, { alias, keyId, createdAt }: AliasView) {
  const domainId = domainIdOf(instanceId);
  return {
    domain_id: domainId,
    key_id: keyId,
    alias,
    alias_urn: `urn:kms:${REGION}:${domainId}:${alias}`,
    create_time: millisecondsText(createdAt),
    update_time: millisecondsText(createdAt),
  };
}

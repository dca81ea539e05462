import { Controller, UseGuards } from '@nestjs/common';
import { Gate } from '../../access/gate.js';
import { CreateKey } from '../../keys/create-key.command.js';
import { GetKeyMetadata } from '../../keys/get-key.query.js';
import type { KeyTarget } from '../../keys/key-target.js';
import type { KeyView } from '../../keys/key-view.js';
import { ListKeys } from '../../keys/list-keys.query.js';
import { CancelKeyDeletion, ScheduleKeyDeletion } from '../../keys/scheduled-deletion.command.js';
import { DisableKey, EnableKey } from '../../keys/switch-key.command.js';
import { UpdateKey } from '../../keys/update-key.command.js';
import { Admission } from './admission.guard.js';
import { MOST_LISTED } from './key.schemas.js';
import * as op from './key-operations.js';
import { aliasOf, detailsOf, keyStateOf, presentKey } from './mapping.js';
import { type Asked, AskedFor, Serve } from './operation.js';
import { domainIdOf } from './project.js';
import { HuaweiRefusal } from './refusals.js';
import { KEY_SPECS, KEY_STATES, type KeySpec, nextPage } from './wire.js';

/** Keys: from creation to deletion. */
@Controller()
@UseGuards(Admission)
export class KeysController {
  constructor(private readonly gate: Gate) {}

  @Serve(op.CREATE_KEY)
  async create(@AskedFor() { caller, place, body }: Asked<typeof op.CREATE_KEY>) {
    const { algorithm, usage } = KEY_SPECS[body.key_spec];
    if ((body.key_usage ?? usage) !== usage) throw new HuaweiRefusal('KMS.0334');
    const external = body.origin === 'external' ? { algorithm, usage } : undefined;
    if (external === undefined && algorithm !== 'AES-256') {
      throw new HuaweiRefusal('KMS.1110', `Keys of ${body.key_spec} are imported: set origin to external.`);
    }
    const input = {
      name: body.key_alias,
      description: body.key_description || undefined,
      aliases: [aliasOf(body.key_alias)],
      extractable: false,
      external,
    };
    const { id, instanceId } = await this.gate.ask(caller, new CreateKey(caller, place, input));
    return { key_info: { key_id: id, domain_id: domainIdOf(instanceId) } };
  }

  @Serve(op.DESCRIBE_KEY)
  async describe(@AskedFor() asked: Asked<typeof op.DESCRIBE_KEY>) {
    return { key_info: detailsOf(await this.#key(asked)) };
  }

  @Serve(op.LIST_KEYS)
  async list(@AskedFor() { caller, place, body }: Asked<typeof op.LIST_KEYS>) {
    const { limit = MOST_LISTED, marker: offset = 0, key_state, key_spec } = body;
    const conditions = Object.entries(KEY_STATES)
      .filter(([, state]) => state === String(key_state))
      .map(([condition]) => condition as keyof typeof KEY_STATES);
    const filter = {
      conditions: key_state === undefined || key_state === '' ? undefined : conditions,
      algorithms: key_spec && key_spec !== 'ALL' ? [KEY_SPECS[key_spec as KeySpec].algorithm] : undefined,
      limit,
      offset,
    };
    const { keys, total } = await this.gate.ask(caller, new ListKeys(caller, place, filter));
    return {
      keys: keys.map(({ id }) => id),
      key_details: keys.map(detailsOf),
      ...nextPage(offset, keys.length, total),
      total,
    };
  }

  @Serve(op.ENABLE_KEY)
  async enable(@AskedFor() { caller, place, body }: Asked<typeof op.ENABLE_KEY>) {
    const target = { ...place, key: body.key_id };
    await this.gate.ask(caller, new EnableKey(caller, target, { immediately: true }));
    return { key_info: { key_id: body.key_id, key_state: KEY_STATES.enabled } };
  }

  @Serve(op.DISABLE_KEY)
  async disable(@AskedFor() { caller, place, body }: Asked<typeof op.DISABLE_KEY>) {
    const target = { ...place, key: body.key_id };
    await this.gate.ask(caller, new DisableKey(caller, target, { immediately: true }));
    return { key_info: { key_id: body.key_id, key_state: KEY_STATES.disabled } };
  }

  @Serve(op.SCHEDULE_DELETION)
  async schedule(@AskedFor() { caller, place, body }: Asked<typeof op.SCHEDULE_DELETION>) {
    const input = { days: body.pending_days };
    const key = await this.gate.ask(caller, new ScheduleKeyDeletion(caller, { ...place, key: body.key_id }, input));
    return { key_id: key.id, key_state: keyStateOf(key) };
  }

  @Serve(op.CANCEL_DELETION)
  async cancel(@AskedFor() { caller, place, body }: Asked<typeof op.CANCEL_DELETION>) {
    const target = { ...place, key: body.key_id };
    const key = await this.gate.ask(caller, new CancelKeyDeletion(caller, target, { to: 'suspended' }));
    return { key_id: key.id, key_state: keyStateOf(key) };
  }

  @Serve(op.UPDATE_ALIAS)
  async rename(@AskedFor() asked: Asked<typeof op.UPDATE_ALIAS>) {
    const { caller, body } = asked;
    const { id, name, aliases } = await this.#key(asked);
    const kept = aliases.filter((alias) => alias !== aliasOf(name) && alias !== aliasOf(body.key_alias));
    const input = { name: body.key_alias, aliases: [...kept, aliasOf(body.key_alias)] };
    const key = await this.gate.ask(caller, new UpdateKey(caller, targetOf(asked), input));
    return { key_info: { key_id: id, key_alias: key.name } };
  }

  @Serve(op.UPDATE_DESCRIPTION)
  async redescribe(@AskedFor() asked: Asked<typeof op.UPDATE_DESCRIPTION>) {
    const { caller, body } = asked;
    const input = { description: body.key_description || null };
    const key = await this.gate.ask(caller, new UpdateKey(caller, targetOf(asked), input));
    return { key_info: { key_id: key.id, key_description: key.description ?? '' } };
  }

  async #key(asked: Pick<Asked, 'caller' | 'place'> & { body: { key_id: string } }): Promise<KeyView> {
    return presentKey(await this.gate.ask(asked.caller, new GetKeyMetadata(asked.caller, targetOf(asked))));
  }
}

function targetOf({ place, body }: Pick<Asked, 'place'> & { body: { key_id: string } }): KeyTarget {
  return { ...place, key: body.key_id };
}

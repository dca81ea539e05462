import { Controller, UseGuards } from '@nestjs/common';
import { Gate } from '../../access/gate.js';
import { GetKeyMetadata } from '../../keys/get-key.query.js';
import type { KeyTarget } from '../../keys/key-target.js';
import type { KeyView } from '../../keys/key-view.js';
import { LabelKey, UnlabelKey } from '../../keys/labels.command.js';
import { ListKeys } from '../../keys/list-keys.query.js';
import { ListLabels } from '../../keys/list-labels.query.js';
import { Admission } from './admission.guard.js';
import { KeyId } from './fields.js';
import { MOST_LISTED } from './key.schemas.js';
import { detailsOf, presentKey } from './mapping.js';
import { type Asked, AskedFor, Serve } from './operation.js';
import { HuaweiRefusal } from './refusals.js';
import * as op from './tag-operations.js';

/** Tags of keys, and keys by their tags. */
@Controller()
@UseGuards(Admission)
export class TagsController {
  constructor(private readonly gate: Gate) {}

  @Serve(op.ADD_TAG)
  async add(@AskedFor() asked: Asked<typeof op.ADD_TAG>): Promise<void> {
    await this.#label(asked, [asked.body.tag]);
  }

  @Serve(op.CHANGE_TAGS)
  async change(@AskedFor() asked: Asked<typeof op.CHANGE_TAGS>): Promise<void> {
    const { action, tags } = asked.body;
    if (action === 'create') return this.#label(asked, tags);
    const names = tags.map(({ key }) => key);
    await this.gate.ask(asked.caller, new UnlabelKey(asked.caller, targetOf(asked), { names, lenient: true }));
  }

  @Serve(op.REMOVE_TAG)
  async remove(@AskedFor() asked: Asked<typeof op.REMOVE_TAG>): Promise<void> {
    const names = [asked.params['tag'] as string];
    await this.gate.ask(asked.caller, new UnlabelKey(asked.caller, targetOf(asked), { names }));
  }

  @Serve(op.KEY_TAGS)
  async ofKey(@AskedFor() asked: Asked<typeof op.KEY_TAGS>) {
    const key = presentKey(await this.gate.ask(asked.caller, new GetKeyMetadata(asked.caller, targetOf(asked))));
    const tags = tagsOf(key);
    return { tags, sys_tags: [], existTagsNum: tags.length };
  }

  @Serve(op.PROJECT_TAGS)
  async ofProject(@AskedFor() { caller, place }: Asked<typeof op.PROJECT_TAGS>) {
    const labels = await this.gate.ask(caller, new ListLabels(caller, place));
    return { tags: labels.map(({ name, values }) => ({ key: name, values })) };
  }

  @Serve(op.TAGGED_KEYS)
  async tagged(@AskedFor() { caller, place, body }: Asked<typeof op.TAGGED_KEYS>) {
    const counts = body.action === 'count';
    const labels = Object.fromEntries(body.tags.map(({ key, values }) => [key, values]));
    const [match] = body.matches;
    const filter = {
      labels,
      name: match?.value || undefined,
      limit: counts ? 0 : (body.limit ?? MOST_LISTED),
      offset: body.offset ?? 0,
    };
    const { keys, total } = await this.gate.ask(caller, new ListKeys(caller, place, filter));
    return counts ? { total_count: total } : { resources: keys.map(resourceOf), total_count: total };
  }

  async #label(asked: Asked, tags: readonly { key: string; value: string }[]): Promise<void> {
    const labels = Object.fromEntries(tags.map(({ key, value }) => [key, value]));
    const input = { labels, most: op.MOST_TAGS };
    await this.gate.ask(asked.caller, new LabelKey(asked.caller, targetOf(asked), input));
  }
}

/** The key that the path names, by its id. */
function targetOf({ place, params }: Asked): KeyTarget {
  const { key } = params as { key: string };
  if (!KeyId.safeParse(key).success) throw new HuaweiRefusal('KMS.0205');
  return { ...place, key };
}

function tagsOf({ labels }: KeyView) {
  return Object.entries(labels).map(([key, value]) => ({ key, value }));
}

function resourceOf(key: KeyView) {
  return { resource_id: key.id, resource_detail: detailsOf(key), resource_name: key.name, tags: tagsOf(key) };
}

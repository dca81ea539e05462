import { Controller, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { Caller } from '../../access/caller.js';
import { Gate } from '../../access/gate.js';
import { AskedBy } from '../../http/asked-by.js';
import { CreateKey, type NewKey } from '../../keys/create-key.command.js';
import { DeleteKey } from '../../keys/delete-key.command.js';
import { GetKey, GetKeyMetadata } from '../../keys/get-key.query.js';
import type { KeyView } from '../../keys/key-view.js';
import { parseListQuery } from '../../keys/list-filter.js';
import { ListVersions } from '../../keys/list-versions.query.js';
import { MoveKey } from '../../keys/move-key.command.js';
import { PurgeKey } from '../../keys/purge-key.command.js';
import { RestoreKey } from '../../keys/restore-key.command.js';
import { CountKeys, SearchKeys } from '../../keys/search-keys.query.js';
import { Admission } from './admission.guard.js';
import { materialOf, type NewKeyResource } from './key.schemas.js';
import * as op from './key-operations.js';
import { keyCollection, keyOf, newKeyOf } from './mapping.js';
import { type Asked, AskedFor, type Operation, Serve } from './operation.js';
import { collectionOf, dateText, KEY_TYPE, VERSION_TYPE } from './wire.js';

/** Keys: from creation to purge. */
@Controller()
@UseGuards(Admission)
export class KeysController {
  constructor(private readonly gate: Gate) {}

  @Serve(op.COUNT_KEYS)
  async count(
    @AskedBy() caller: Caller,
    @AskedFor() { target, query }: Asked<typeof op.COUNT_KEYS>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    const { search: _, ...filter } = query;
    reply.header('Key-Total', await this.gate.ask(caller, new CountKeys(caller, target, parseListQuery(filter))));
  }

  @Serve(op.LIST_KEYS)
  async list(@AskedBy() caller: Caller, @AskedFor() { target, query }: Asked<typeof op.LIST_KEYS>) {
    const listed = await this.gate.ask(caller, new SearchKeys(caller, target, parseListQuery(query)));
    return collectionOf(KEY_TYPE, listed.keys.map(keyOf), {
      incompleteSearch: listed.incompleteSearch || null,
      searchQuery: listed.search,
    });
  }

  @Serve(op.CREATE_KEY)
  create(@AskedBy() caller: Caller, @AskedFor() asked: Asked<typeof op.CREATE_KEY>) {
    return this.#create(caller, asked, newKeyFrom(asked.body));
  }

  @Serve(op.CREATE_KEY_WITH_OVERRIDES)
  createWithOverrides(@AskedBy() caller: Caller, @AskedFor() asked: Asked<typeof op.CREATE_KEY_WITH_OVERRIDES>) {
    const { rotation, dualAuthDelete } = asked.body;
    const overrides = {
      dualAuthDelete,
      rotation: rotation && { enabled: rotation.enabled, intervalMonth: rotation.interval_month },
    };
    return this.#create(caller, asked, { ...newKeyFrom(asked.body), overrides });
  }

  @Serve(op.GET_KEY)
  async get(@AskedBy() caller: Caller, @AskedFor() { target }: Asked<typeof op.GET_KEY>) {
    return keyCollection(await this.gate.ask(caller, new GetKey(caller, target)));
  }

  @Serve(op.GET_KEY_METADATA)
  async metadata(@AskedBy() caller: Caller, @AskedFor() { target }: Asked<typeof op.GET_KEY_METADATA>) {
    return keyCollection(await this.gate.ask(caller, new GetKeyMetadata(caller, target)));
  }

  @Serve(op.PATCH_KEY)
  async move(@AskedBy() caller: Caller, @AskedFor() { target, body }: Asked<typeof op.PATCH_KEY>) {
    return keyCollection(await this.gate.ask(caller, new MoveKey(caller, target, body.keyRingID)));
  }

  @Serve(op.DELETE_KEY)
  async delete(
    @AskedBy() caller: Caller,
    @AskedFor() { target, query, prefer }: Asked<typeof op.DELETE_KEY>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return asPreferred(prefer, reply, await this.gate.ask(caller, new DeleteKey(caller, target, query)));
  }

  @Serve(op.PURGE_KEY)
  async purge(
    @AskedBy() caller: Caller,
    @AskedFor() { target, prefer }: Asked<typeof op.PURGE_KEY>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return asPreferred(prefer, reply, await this.gate.ask(caller, new PurgeKey(caller, target)));
  }

  @Serve(op.RESTORE_KEY)
  async restore(@AskedBy() caller: Caller, @AskedFor() { target, body }: Asked<typeof op.RESTORE_KEY>) {
    return keyCollection(await this.gate.ask(caller, new RestoreKey(caller, target, materialOf(body ?? {}))));
  }

  @Serve(op.LIST_VERSIONS)
  async versions(@AskedBy() caller: Caller, @AskedFor() { target, query }: Asked<typeof op.LIST_VERSIONS>) {
    const { versions, total } = await this.gate.ask(caller, new ListVersions(caller, target, query));
    const resources = versions.map(({ id, createdAt }) => ({ id, creationDate: dateText(createdAt) }));
    return collectionOf(VERSION_TYPE, resources, { totalCount: query.totalCount ? total : null });
  }

  async #create(caller: Caller, { target, prefer }: Asked<Operation>, input: NewKey): Promise<object> {
    const key = await this.gate.ask(caller, new CreateKey(caller, target, input));
    return collectionOf(KEY_TYPE, [newKeyOf(key, prefer)]);
  }
}

function newKeyFrom(resource: NewKeyResource): NewKey {
  const { name, description, tags, aliases, extractable, expirationDate } = resource;
  return { name, description, tags, aliases, extractable, expiresAt: expirationDate, ...materialOf(resource) };
}

/** The key for a client that prefers a representation, otherwise 204 and nothing. */
function asPreferred(prefer: Asked<Operation>['prefer'], reply: FastifyReply, key: KeyView): object | undefined {
  if (prefer === 'representation') return keyCollection(key);
  reply.status(204);
  return undefined;
}

import { z } from 'zod';
import { CreateKey } from '../../keys/create-key.command.js';
import { DeleteKey } from '../../keys/delete-key.command.js';
import { GetKey, GetKeyMetadata } from '../../keys/get-key.query.js';
import { ListVersions } from '../../keys/list-versions.query.js';
import { MoveKey } from '../../keys/move-key.command.js';
import { PurgeKey } from '../../keys/purge-key.command.js';
import { RestoreKey } from '../../keys/restore-key.command.js';
import { CountKeys, SearchKeys } from '../../keys/search-keys.query.js';
import { CreateBody, KeyCollection, MoveBody, OverridesBody, RestoreBody, VersionCollection } from './key.schemas.js';
import { operation } from './operation.js';
import { Flag, Limit, ListQuery, Offset } from './query.js';

export const COUNT_KEYS = operation({
  id: 'countKeys',
  route: 'HEAD /api/v2/keys',
  summary: 'Count the keys; the number is in the header Key-Total',
  failure: 'Keys could not be counted',
  request: CountKeys,
  query: ListQuery,
  answers: [[200, null]],
});

export const LIST_KEYS = operation({
  id: 'listKeys',
  route: 'GET /api/v2/keys',
  summary: 'List keys',
  failure: 'Keys could not be retrieved',
  request: SearchKeys,
  query: ListQuery,
  answers: [[200, KeyCollection]],
});

export const CREATE_KEY = operation({
  id: 'createKey',
  route: 'POST /api/v2/keys',
  summary: 'Create or import a key',
  failure: 'Key could not be created',
  request: CreateKey,
  body: CreateBody,
  answers: [[201, KeyCollection]],
});

export const CREATE_KEY_WITH_OVERRIDES = operation({
  id: 'createKeyWithPoliciesOverrides',
  route: 'POST /api/v2/keys_with_policy_overrides',
  summary: 'Create or import a key with policies of its own in place of those of the instance',
  failure: 'Key could not be created',
  request: CreateKey,
  body: OverridesBody,
  answers: [[201, KeyCollection]],
});

export const GET_KEY = operation({
  id: 'getKey',
  route: 'GET /api/v2/keys/:id',
  summary: 'Read a key, with the payload of a standard key',
  failure: 'Key could not be retrieved',
  request: GetKey,
  readsKey: true,
  answers: [[200, KeyCollection]],
});

export const GET_KEY_METADATA = operation({
  id: 'getKeyMetadata',
  route: 'GET /api/v2/keys/:id/metadata',
  summary: 'Read a key without payload',
  failure: 'Key metadata could not be retrieved',
  request: GetKeyMetadata,
  readsKey: true,
  answers: [[200, KeyCollection]],
});

export const PATCH_KEY = operation({
  id: 'patchKey',
  route: 'PATCH /api/v2/keys/:id',
  summary: 'Move a key to another key ring',
  failure: 'Key could not be updated',
  request: MoveKey,
  body: MoveBody,
  answers: [[200, KeyCollection]],
});

export const DELETE_KEY = operation({
  id: 'deleteKey',
  route: 'DELETE /api/v2/keys/:id',
  summary: 'Delete a key; with Prefer: return=representation the answer has a body',
  failure: 'Key could not be deleted',
  request: DeleteKey,
  query: z.object({ force: Flag }),
  answers: [
    [200, KeyCollection],
    [204, null],
  ],
});

export const PURGE_KEY = operation({
  id: 'purgeKey',
  route: 'DELETE /api/v2/keys/:id/purge',
  summary: 'Remove a deleted key for good',
  failure: 'Key could not be purged',
  request: PurgeKey,
  answers: [
    [200, KeyCollection],
    [204, null],
  ],
});

export const RESTORE_KEY = operation({
  id: 'restoreKey',
  route: 'POST /api/v2/keys/:id/restore',
  summary: 'Bring a deleted key back',
  failure: 'Key could not be restored',
  request: RestoreKey,
  body: RestoreBody,
  answers: [[201, KeyCollection]],
});

export const LIST_VERSIONS = operation({
  id: 'getKeyVersions',
  route: 'GET /api/v2/keys/:id/versions',
  summary: 'List the versions of a root key, newest first',
  failure: 'Key versions could not be retrieved',
  request: ListVersions,
  query: z.object({ limit: Limit, offset: Offset, totalCount: Flag, allKeyStates: Flag }),
  answers: [[200, VersionCollection]],
});

import { z } from 'zod';
import type { RequestClass } from '../../access/gate.js';
import { CreateImportToken } from '../../import-tokens/create-import-token.command.js';
import { GetImportToken } from '../../import-tokens/get-import-token.command.js';
import { CreateKeyRing } from '../../key-rings/create-key-ring.command.js';
import { DeleteKeyRing } from '../../key-rings/delete-key-ring.command.js';
import { ListKeyRings } from '../../key-rings/list-key-rings.query.js';
import { CreateAlias, DeleteAlias } from '../../keys/alias.command.js';
import { GetAllowedIpPort, GetInstancePolicies } from '../../keys/instance-policies.query.js';
import { GetKeyPolicies } from '../../keys/key-policies.query.js';
import { ListRegistrations } from '../../keys/list-registrations.query.js';
import { SetInstancePolicies } from '../../keys/set-instance-policies.command.js';
import { SetKeyPolicies } from '../../keys/set-key-policies.command.js';
import { operation } from './operation.js';
import {
  AliasCollection,
  ImportToken,
  ImportTokenBody,
  RegistrationCollection,
  RetrievedToken,
  RingCollection,
} from './other.schemas.js';
import {
  AllowedIpPorts,
  InstancePoliciesBody,
  InstancePolicyCollection,
  InstancePolicyTypeQuery,
  KeyPoliciesBody,
  KeyPolicyCollection,
  KeyPolicyType,
} from './policy.schemas.js';
import { CrnQuery, Flag, Limit, Offset } from './query.js';

export const CREATE_IMPORT_TOKEN = operation({
  id: 'createImportToken',
  route: 'POST /api/v2/import_token',
  summary: 'Make the import token of the instance; the one before is gone',
  failure: 'Import Token could not be created',
  request: CreateImportToken,
  body: ImportTokenBody,
  answers: [[200, ImportToken]],
});
export const GET_IMPORT_TOKEN = operation({
  id: 'getImportToken',
  route: 'GET /api/v2/import_token',
  summary: 'Retrieve public key and nonce of the import token',
  failure: 'Import Token could not be retrieved',
  request: GetImportToken,
  answers: [[200, RetrievedToken]],
});

export const SET_KEY_POLICIES = operation({
  id: 'putPolicy',
  route: 'PUT /api/v2/keys/:id/policies',
  summary: 'Set policies of a key',
  failure: 'Policy could not be created',
  request: SetKeyPolicies,
  query: z.object({ policy: KeyPolicyType }),
  body: KeyPoliciesBody,
  answers: [[200, KeyPolicyCollection]],
});
export const GET_KEY_POLICIES = operation({
  id: 'getPolicy',
  route: 'GET /api/v2/keys/:id/policies',
  summary: 'Read the policies of a key',
  failure: 'Policy could not be retrieved',
  request: GetKeyPolicies,
  query: z.object({ policy: KeyPolicyType }),
  answers: [[200, KeyPolicyCollection]],
});
export const SET_INSTANCE_POLICIES = operation({
  id: 'putInstancePolicy',
  route: 'PUT /api/v2/instance/policies',
  summary: 'Set policies of the instance',
  failure: 'Instance policy could not be created',
  request: SetInstancePolicies,
  query: z.object({ policy: InstancePolicyTypeQuery }),
  body: InstancePoliciesBody,
  answers: [[204, null]],
});
export const GET_INSTANCE_POLICIES = operation({
  id: 'getInstancePolicy',
  route: 'GET /api/v2/instance/policies',
  summary: 'Read the policies of the instance',
  failure: 'Instance policy could not be retrieved',
  request: GetInstancePolicies,
  query: z.object({ policy: InstancePolicyTypeQuery }),
  answers: [[200, InstancePolicyCollection]],
});
export const GET_ALLOWED_IP_PORT = operation({
  id: 'getAllowedIPPort',
  route: 'GET /api/v2/instance/allowed_ip_port',
  summary: 'Read the port for callers that an allowedIP policy admits',
  failure: 'Allowed IP port could not be retrieved',
  request: GetAllowedIpPort,
  answers: [[200, AllowedIpPorts]],
});

export const CREATE_ALIAS = operation({
  id: 'createKeyAlias',
  route: 'POST /api/v2/keys/:id/aliases/:alias',
  summary: 'Give a key an alias',
  failure: 'Key alias could not be created',
  request: CreateAlias,
  answers: [[201, AliasCollection]],
});
export const DELETE_ALIAS = operation({
  id: 'deleteKeyAlias',
  route: 'DELETE /api/v2/keys/:id/aliases/:alias',
  summary: 'Take an alias from a key',
  failure: 'Key alias could not be deleted',
  request: DeleteAlias,
  answers: [[204, null]],
});

export const LIST_KEY_RINGS = operation({
  id: 'listKeyRings',
  route: 'GET /api/v2/key_rings',
  summary: 'List key rings',
  failure: 'Key rings could not be retrieved',
  request: ListKeyRings,
  query: z.object({ limit: Limit, offset: Offset, totalCount: Flag }),
  answers: [[200, RingCollection]],
});
export const CREATE_KEY_RING = operation({
  id: 'createKeyRing',
  route: 'POST /api/v2/key_rings/:ring',
  summary: 'Make a key ring',
  failure: 'Key ring could not be created',
  request: CreateKeyRing,
  answers: [[201, null]],
});
export const DELETE_KEY_RING = operation({
  id: 'deleteKeyRing',
  route: 'DELETE /api/v2/key_rings/:ring',
  summary: 'Remove a key ring',
  failure: 'Key ring could not be deleted',
  request: DeleteKeyRing,
  query: z.object({ force: Flag }),
  answers: [[204, null]],
});

const registrations = (id: string, path: string, summary: string) =>
  operation({
    id,
    route: `GET /api/v2/${path}`,
    summary,
    failure: 'Registrations could not be retrieved',
    request: ListRegistrations as RequestClass,
    query: z.object({
      limit: Limit,
      offset: Offset,
      preventKeyDeletion: Flag,
      totalCount: Flag,
      urlEncodedResourceCRNQuery: CrnQuery,
    }),
    answers: [[200, RegistrationCollection]],
  });
export const LIST_REGISTRATIONS = registrations(
  'getRegistrationsAllKeys',
  'keys/registrations',
  'List what the keys of the instance protect',
);
export const LIST_KEY_REGISTRATIONS = registrations(
  'getRegistrations',
  'keys/:id/registrations',
  'List what a key protects',
);

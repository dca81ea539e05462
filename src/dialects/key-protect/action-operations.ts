import type { RequestClass } from '../../access/gate.js';
import { RewrapKey } from '../../keys/rewrap-key.command.js';
import { RotateKey } from '../../keys/rotate-key.command.js';
import { SetForDeletion, UnsetForDeletion } from '../../keys/set-for-deletion.command.js';
import { DisableKey, EnableKey } from '../../keys/switch-key.command.js';
import { SyncKey } from '../../keys/sync-key.command.js';
import { UnwrapKey } from '../../keys/unwrap-key.command.js';
import { WrapKey } from '../../keys/wrap-key.command.js';
import { CiphertextBody, MaterialBody, RewrapResult, UnwrapResult, WrapBody, WrapResult } from './key.schemas.js';
import { operation } from './operation.js';

const at = (action: string) => `POST /api/v2/keys/:id/actions/${action}`;

export const WRAP = operation({
  id: 'wrapKey',
  route: at('wrap'),
  summary: 'Encrypt a data key under a root key; without a plaintext, make one',
  failure: 'Wrap with key could not be performed',
  request: WrapKey,
  readsKey: true,
  body: WrapBody,
  answers: [[200, WrapResult]],
});

export const UNWRAP = operation({
  id: 'unwrapKey',
  route: at('unwrap'),
  summary: 'Decrypt a data key',
  failure: 'Unwrap with key could not be performed',
  request: UnwrapKey,
  readsKey: true,
  body: CiphertextBody,
  answers: [[200, UnwrapResult]],
});

export const REWRAP = operation({
  id: 'rewrapKey',
  route: at('rewrap'),
  summary: 'Encrypt a data key anew, under the latest version of the root key',
  failure: 'Rewrap with key could not be performed',
  request: RewrapKey,
  readsKey: true,
  body: CiphertextBody,
  answers: [[200, RewrapResult]],
});

export const ROTATE = operation({
  id: 'rotateKey',
  route: at('rotate'),
  summary: 'Make a new version of a root key; an imported key needs new material',
  failure: 'Key could not be rotated',
  request: RotateKey,
  body: MaterialBody.optional(),
  answers: [[204, null]],
});

const plain = (action: string, id: string, request: RequestClass, summary: string, failure: string) =>
  operation({ id, route: at(action), summary, failure, request, answers: [[204, null]] });

export const DISABLE = plain('disable', 'disableKey', DisableKey, 'Suspend a root key', 'Key could not be disabled');
export const ENABLE = plain('enable', 'enableKey', EnableKey, 'End a suspension', 'Key could not be enabled');
export const SET_FOR_DELETION = plain(
  'setKeyForDeletion',
  'setKeyForDeletion',
  SetForDeletion,
  'Give the first of two authorisations to delete',
  'Action could not be performed on key',
);
export const UNSET_FOR_DELETION = plain(
  'unsetKeyForDeletion',
  'unsetKeyForDeletion',
  UnsetForDeletion,
  'Take the authorisation to delete back',
  'Action could not be performed on key',
);
export const SYNC = plain(
  'sync',
  'syncAssociatedResources',
  SyncKey,
  'Tell registered services the state of a key again',
  'Action could not be performed on key',
);

import { CreateKey } from '../../keys/create-key.command.js';
import { GetKeyMetadata } from '../../keys/get-key.query.js';
import { ListKeys } from '../../keys/list-keys.query.js';
import { CancelKeyDeletion, ScheduleKeyDeletion } from '../../keys/scheduled-deletion.command.js';
import { SetKeyRotation } from '../../keys/set-key-rotation.command.js';
import { DisableKey, EnableKey } from '../../keys/switch-key.command.js';
import { UpdateKey } from '../../keys/update-key.command.js';
import * as s from './key.schemas.js';
import { operation } from './operation.js';

export const CREATE_KEY = operation({
  route: 'POST create-key',
  request: CreateKey,
  body: s.CreateBody,
  answer: s.Created,
  ownWords: { ALIAS_QUOTA: 'KMS.1105' },
});

export const DESCRIBE_KEY = operation({
  route: 'POST describe-key',
  request: GetKeyMetadata,
  body: s.KeyNameBody,
  answer: s.Described,
});

export const LIST_KEYS = operation({
  route: 'POST list-keys',
  request: ListKeys,
  body: s.ListBody,
  answer: s.Listed,
});

export const ENABLE_KEY = operation({
  route: 'POST enable-key',
  request: EnableKey,
  body: s.KeyIdBody,
  answer: s.Switched,
  ownWords: { KEY_STATE: 'KMS.1201', MATERIAL_ABSENT: 'KMS.1201' },
});

export const DISABLE_KEY = operation({
  route: 'POST disable-key',
  request: DisableKey,
  body: s.KeyIdBody,
  answer: s.Switched,
  ownWords: { KEY_STATE: 'KMS.1301' },
});

export const SCHEDULE_DELETION = operation({
  route: 'POST schedule-key-deletion',
  request: ScheduleKeyDeletion,
  body: s.DeletionBody,
  answer: s.Scheduled,
  ownWords: { DELETION_PENDING: 'KMS.1402' },
});

export const CANCEL_DELETION = operation({
  route: 'POST cancel-key-deletion',
  request: CancelKeyDeletion,
  body: s.KeyIdBody,
  answer: s.Scheduled,
});

export const UPDATE_ALIAS = operation({
  route: 'POST update-key-alias',
  request: UpdateKey,
  body: s.AliasBody,
  answer: s.Renamed,
});

export const UPDATE_DESCRIPTION = operation({
  route: 'POST update-key-description',
  request: UpdateKey,
  body: s.DescriptionBody,
  answer: s.Redescribed,
});

const ROTATION = { KEY_ASYMMETRIC: 'KMS.0324' } as const;

export const ENABLE_ROTATION = operation({
  route: 'POST enable-key-rotation',
  request: SetKeyRotation,
  body: s.KeyIdBody,
  answer: s.Nothing,
  ownWords: ROTATION,
});

export const DISABLE_ROTATION = operation({
  route: 'POST disable-key-rotation',
  request: SetKeyRotation,
  body: s.KeyIdBody,
  answer: s.Nothing,
  ownWords: ROTATION,
});

export const UPDATE_ROTATION = operation({
  route: 'POST update-key-rotation-interval',
  request: SetKeyRotation,
  body: s.IntervalBody,
  answer: s.Nothing,
  ownWords: ROTATION,
});

export const ROTATION_STATUS = operation({
  route: 'POST get-key-rotation-status',
  request: GetKeyMetadata,
  body: s.KeyIdBody,
  answer: s.RotationStatus,
});

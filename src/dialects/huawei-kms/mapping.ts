import { conditionOf } from '../../keys/key-state.js';
import type { KeyView } from '../../keys/key-view.js';
import { KeysteadError } from '../../shared/errors.js';
import { domainIdOf, REGION } from './project.js';
import { flagText, KEY_STATES, keySpecOf, millisecondsText } from './wire.js';

const ALIAS_PREFIX = 'alias/';
const MOST_ALIAS_CHARACTERS = 255;

/** A key of the dialect: neither deleted nor a standard key. KEY_NOT_FOUND. */
export function presentKey(key: KeyView): KeyView {
  if (!key.extractable && conditionOf(key) !== null) return key;
  throw new KeysteadError('KEY_NOT_FOUND', `there is no key ${key.id}`);
}

export function keyStateOf(key: KeyView) {
  const condition = conditionOf(key);
  if (condition === null) throw new KeysteadError('KEY_NOT_FOUND', `there is no key ${key.id}`);
  return KEY_STATES[condition];
}

/** A key as the vendor shows it. */
export function detailsOf(key: KeyView) {
  return {
    key_id: key.id,
    domain_id: domainIdOf(key.instanceId),
    key_alias: key.name,
    realm: REGION,
    key_spec: keySpecOf(key.algorithm),
    key_usage: key.usage,
    key_description: key.description ?? '',
    creation_date: millisecondsText(key.createdAt),
    scheduled_deletion_date: millisecondsText(key.deletionDueAt),
    key_state: keyStateOf(key),
    default_key_flag: '0',
    key_type: '1',
    expiration_time: millisecondsText(key.materialExpiresAt),
    origin: key.external ? 'external' : 'kms',
    key_rotation_enabled: flagText(key.rotation?.enabled ?? false),
    sys_enterprise_project_id: '0',
    keystore_id: '0',
  };
}

/**
 * The alias that the name of a key reserves for it, so that no two keys are called the same and `alias/name` finds it. A
 * name that leaves no room for the prefix stands for itself.
 */
export function aliasOf(name: string): string {
  const prefixed = name.startsWith(ALIAS_PREFIX) ? name : `${ALIAS_PREFIX}${name}`;
  return prefixed.length <= MOST_ALIAS_CHARACTERS ? prefixed : name;
}

import type { EntityManager } from 'typeorm';
import { FieldError, KeysteadError, needs } from '../shared/errors.js';
import { KeyRing } from './key-ring.entity.js';
import { DEFAULT_RING } from './key-ring-view.js';

const RING_ID = /^[A-Za-z0-9_-]{2,100}$/;

/** Throws FIELD_INVALID unless a ring can be called so. */
export function assertRingId(id: string): void {
  const must = 'be 2 to 100 of A-Z a-z 0-9 _ - and not default';
  if (RING_ID.test(id) && id !== DEFAULT_RING) return;
  throw new FieldError('FIELD_INVALID', `the id of a key ring must ${must}`, { type: 'field', name: 'id' });
}

/** Throws KEY_RING_NOT_FOUND unless the ring exists; it then stays to the end of the transaction. */
export async function holdRing(tx: EntityManager, instanceId: string, id: string): Promise<void> {
  if (id === DEFAULT_RING) return;
  const ring = await tx.findOne(KeyRing, { where: { instanceId, id }, lock: { mode: 'pessimistic_read' } });
  needs(ring, 'KEY_RING_NOT_FOUND', noRing(id).message);
}

export function noRing(id: string): KeysteadError {
  return new KeysteadError('KEY_RING_NOT_FOUND', `there is no key ring ${id}; 'kp key-rings' shows those there are`);
}

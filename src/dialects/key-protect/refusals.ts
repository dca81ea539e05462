import { KeysteadError } from '../../shared/errors.js';

/** Rules of the wire alone, which no other part of Keystead knows: IBM's reason, its status and its words. */
export const WIRE_REASONS = {
  COLLECTION_TOTAL_MISMATCH_ERR: [400, 'Collection total does not match number of resources'],
  BODY_QUERY_PARAM_MISMATCH_ERR: [400, 'Data in body does not match data required by query parameter'],
  NUM_COLLECTION_RESOURCE_ERR: [
    400,
    'Only a single instance policy may be created per query parameter. Please pass single resource object',
  ],
  SERVICE_ONLY_ERR: [403, 'This action can only be performed by a service'],
} as const satisfies Record<string, readonly [status: number, text: string]>;
export type WireReason = keyof typeof WIRE_REASONS;

/** A refusal by a rule of the wire alone. */
export class WireError extends KeysteadError {
  constructor(
    readonly reason: WireReason,
    detail?: string,
  ) {
    const [, text] = WIRE_REASONS[reason];
    super('BAD_REQUEST', detail === undefined ? text : `${text}: ${detail}`);
  }
}

/** The request names no instance; IBM's sentence stands alone in the answer. */
export class InstanceHeaderError extends KeysteadError {
  constructor() {
    super('BAD_REQUEST', 'Request requires valid Bluemix-Instance Header containing a valid UUID');
  }
}

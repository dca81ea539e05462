import { GetKeyMetadata } from '../../keys/get-key.query.js';
import { assertAllowed } from '../../keys/key-state.js';
import { KeysteadError } from '../../shared/errors.js';
import type { Call } from './call.js';
import { shown } from './key-metadata.js';
import type { Asked, Operation } from './operation.js';
import { AlibabaError } from './refusals.js';

/** `DryRun=true` of an operation that knows it. */
export function isDryRun({ dryRun }: Operation, { parameters }: Call): boolean {
  return dryRun === true && parameters.get('DryRun') === 'true';
}

/**
 * Says what the call would have come to, by refusing it: AccessDeniedError, ValidationError, the refusal that the key's
 * state brings, or DryRunOperationError for one that would be served.
 */
export async function rehearsed(
  key: string | undefined,
  authorise: () => Promise<void>,
  admitted: () => Promise<Asked<unknown>>,
): Promise<never> {
  await authorise().catch((cause) => {
    throw cause instanceof KeysteadError && cause.code === 'FORBIDDEN' ? new AlibabaError('AccessDeniedError') : cause;
  });
  const asked = await admitted().catch((cause) => {
    throw cause instanceof AlibabaError ? new AlibabaError('ValidationError', cause.message) : cause;
  });
  const found = shown(await asked.ask(new GetKeyMetadata(asked.by, asked.at(key ?? ''))));
  assertAllowed('encrypt', found, new Date());
  throw new AlibabaError('DryRunOperationError');
}

import * as actions from './action-operations.js';
import * as keys from './key-operations.js';
import type { Operation } from './operation.js';
import * as others from './other-operations.js';

/** Every operation of the dialect, for the OpenAPI document and for those who check answers against it. */
export const OPERATIONS: readonly Operation[] = [keys, actions, others].flatMap((group) =>
  Object.values<Operation>(group),
);

import * as aliases from './alias-operations.js';
import * as data from './data-operations.js';
import * as imports from './import-operations.js';
import * as life from './life-operations.js';
import type { Operation } from './operation.js';
import * as others from './other-operations.js';
import * as signing from './signing-operations.js';
import * as tags from './tag-operations.js';
import * as versions from './version-operations.js';

/** Every operation of the dialect. */
export const OPERATIONS: readonly Operation[] = [life, imports, data, aliases, tags, versions, signing, others].flatMap(
  (group) => Object.values<unknown>(group).filter(isOperation),
);

function isOperation(member: unknown): member is Operation {
  return typeof member === 'object' && member !== null && 'serve' in member;
}

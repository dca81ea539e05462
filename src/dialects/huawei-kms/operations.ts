import * as account from './account-operations.js';
import * as aliases from './alias-operations.js';
import * as data from './data-operations.js';
import * as grants from './grant-operations.js';
import * as imports from './import-operations.js';
import * as keys from './key-operations.js';
import type { Operation } from './operation.js';
import * as signing from './signing-operations.js';
import * as tags from './tag-operations.js';

/** Every operation of the dialect, for those who check answers against it. */
export const OPERATIONS: readonly Operation[] = [keys, imports, data, signing, tags, grants, aliases, account]
  .flatMap((group) => Object.values<unknown>(group))
  .filter((member): member is Operation => typeof member === 'object' && member !== null && 'answer' in member);

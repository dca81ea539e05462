import type { RequestOrigin } from '../audit/audit-entry.js';
import type { Role } from '../shared/permissions.js';
import type { Grant } from './scope.js';

/** Who asks, once authenticated. `id` is the API key's id; `name` is what people and audit lines call it. */
export interface Caller {
  readonly id: string;
  readonly name: string;
  /** Roles that hold everywhere. */
  readonly roles: readonly Role[];
  /** Roles that hold in part of the world only. */
  readonly scopes: readonly Grant[];
  /** Where the request came from, when it came over a network. */
  readonly address?: string | undefined;
  /** The request in which it asks; the server's own jobs have none. */
  readonly request?: RequestOrigin | undefined;
  /** Whether the connection showed a certificate of the administrators' CA. */
  readonly certified?: boolean;
  /** Whether this is the key of the first start in production, which makes one other key and nothing else. */
  readonly bootstrap?: boolean;
}

/** The name under which a caller stands in keys, rings and policies: IBM's form of a service id. */
export function iamIdOf({ id }: Pick<Caller, 'id'>): string {
  return `iam-ServiceId-${id}`;
}

/** The server itself, for what its jobs do. */
export const KEYSTEAD: Caller = { id: 'keystead', name: 'keystead', roles: [], scopes: [] };

/** What a bootstrap key hears that is used for anything else. */
export const BOOTSTRAP_LIMIT =
  "the bootstrap key makes the first Manager key and nothing else: 'kp api-key create NAME --role Manager --file FILE', then use that one (KP_API_KEY_FILE)";

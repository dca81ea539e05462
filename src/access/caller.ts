import type { Role } from '../shared/permissions.js';

/** Who asks, once authenticated. `id` is the API key's id; `name` is what people and audit lines call it. */
export interface Caller {
  readonly id: string;
  readonly name: string;
  readonly roles: readonly Role[];
}

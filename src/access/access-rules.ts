import type { KeyPlace } from './scope.js';

/** What the gate must know of keys and instance policies. The keys folder binds it. */
export abstract class AccessRules {
  /** Where the key stands that the id or alias names; undefined when there is none. */
  abstract placeOf(instanceId: string, key: string): Promise<KeyPlace | undefined>;
  /** Whether somebody granted the caller this operation on the key that the id or alias names. */
  abstract isGranted(instanceId: string, key: string, callerId: string, operation: string): Promise<boolean>;
  /** Whether the instance's policies let callers in from this network address: at once, when they are at hand. */
  abstract admits(instanceId: string, address: string): boolean | Promise<boolean>;
  /** Whether the instance's policies let its use be measured: at once, when they are at hand. */
  abstract measures(instanceId: string): boolean | Promise<boolean>;
}

import type { Isolation } from '../instances/agent-directory.js';
import type { CryptoUnit } from '../instances/crypto-unit.entity.js';
import type { KmsUser } from '../instances/kms-user.js';
import type { AgentConnection, ConnectionOptions } from '../unit-agent/client.js';

/** The agent of one crypto unit, as this process reaches it: started by it, or running by itself. */
export interface Agent {
  readonly isolation: Isolation;
  readonly pid: number | undefined;
  readonly restarts: number;
  /** Before the first start of a unit whose token was not made yet. */
  prepare(unit: CryptoUnit): Promise<void>;
  start(): void;
  stop(): Promise<void>;
  /** It did not answer in time. */
  hung(why: string): Promise<void>;
  /** A new connection, for administrators or for the KMS user. Throws UNIT_UNREACHABLE, CONFIG_INVALID. */
  connect(user: KmsUser | undefined, options: ConnectionOptions): Promise<AgentConnection>;
}

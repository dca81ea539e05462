import type { Logger } from 'pino';
import type { AgentDirectory, Isolation } from '../instances/agent-directory.js';
import type { KmsUser } from '../instances/kms-user.js';
import { AgentConnection, type ConnectionOptions } from '../unit-agent/client.js';
import type { Agent } from './agent.js';

/** To reach an agent takes no longer than this, or another unit does better. */
const CONNECT_MS = 2_000;

/** An agent that runs by itself: nothing here starts, stops or kills it. What keeps it running is its host's business. */
export class StandaloneAgent implements Agent {
  isolation: Isolation = 'process-only'; // until it is known better
  readonly pid = undefined;
  readonly restarts = 0;

  constructor(
    private readonly unitId: string,
    private readonly name: string,
    private readonly directory: AgentDirectory,
    private readonly log: Logger,
  ) {}

  async prepare(): Promise<void> {}

  start(): void {}

  async stop(): Promise<void> {}

  async hung(why: string): Promise<void> {
    this.log.warn({ event: 'agent-hung', unit: this.unitId, agent: this.name, why });
  }

  async connect(user: KmsUser | undefined, options: ConnectionOptions): Promise<AgentConnection> {
    const { dial, isolation } = await this.directory.dial(this.name, user);
    this.isolation = isolation;
    return AgentConnection.connect(dial, { ...options, connectMs: Math.min(CONNECT_MS, options.deadlineMs) });
  }
}

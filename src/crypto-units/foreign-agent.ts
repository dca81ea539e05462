import { KeysteadError } from '../shared/errors.js';
import type { AgentConnection } from '../unit-agent/client.js';
import type { Agent } from './agent.js';

/** The agent that another server on the same database started for itself: its socket is that server's alone. */
export class ForeignAgent implements Agent {
  readonly isolation = 'process-only';
  readonly pid = undefined;
  readonly restarts = 0;

  constructor(private readonly unitId: string) {}

  async prepare(): Promise<void> {}

  start(): void {}

  async stop(): Promise<void> {}

  async hung(): Promise<void> {}

  async connect(): Promise<AgentConnection> {
    throw new KeysteadError(
      'UNIT_UNREACHABLE',
      `crypto unit ${this.unitId} is in the data directory of another server; for units that servers share, run agents by themselves (KEYSTEAD_AGENTS_FILE)`,
    );
  }
}

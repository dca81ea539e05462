import { messageOf } from '../shared/errors.js';
import { AdminClient, AgentConnection } from '../unit-agent/client.js';
import type { AgentDirectory, NamedAgent } from './agent-directory.js';

const PATIENCE_MS = 5_000;

/** What an agent that runs by itself says of its unit before anybody has it. */
export interface AskedAgent extends NamedAgent {
  /** Id of its unit; undefined when it cannot be taken. */
  readonly unitId: string | undefined;
  /** Why it cannot be taken. */
  readonly why: string;
}

/** Asks every agent of the directory; one that does not answer is not free. Throws CONFIG_INVALID for the file alone. */
export async function askAgents(directory: AgentDirectory): Promise<AskedAgent[]> {
  return Promise.all((await directory.agents()).map(async (agent) => ({ ...agent, ...(await ask(directory, agent)) })));
}

async function ask(directory: AgentDirectory, { name }: NamedAgent): Promise<Pick<AskedAgent, 'unitId' | 'why'>> {
  try {
    const { dial } = await directory.dial(name, undefined);
    const connection = await AgentConnection.connect(dial, { deadlineMs: PATIENCE_MS });
    try {
      const { facts } = await new AdminClient(connection).probe();
      const { token, record, recordLost, unit } = facts;
      if (record !== null || recordLost) return { unitId: undefined, why: 'it is claimed' };
      if (!token.present) return { unitId: undefined, why: token.problem?.message ?? 'it has no token' };
      return { unitId: unit, why: '' };
    } finally {
      connection.close();
    }
  } catch (cause) {
    return { unitId: undefined, why: messageOf(cause) };
  }
}

import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Config } from '../config/config.js';
import type { AgentDirectory } from '../instances/agent-directory.js';
import type { CryptoUnit } from '../instances/crypto-unit.entity.js';
import type { ProviderSource } from '../instances/providers.js';
import type { Agent } from './agent.js';
import { AgentProcess } from './agent-process.js';
import { ForeignAgent } from './foreign-agent.js';
import { StandaloneAgent } from './standalone-agent.js';

/** The agent of a unit, as this server reaches it. `onReady` is called when one that it starts is ready. */
export function agentOf(
  { id, descriptor }: CryptoUnit,
  { dataDir, runtimeDir, sealKeyFile }: Config,
  providers: ProviderSource,
  directory: AgentDirectory,
  log: Logger,
  onReady: () => void,
): Agent {
  if (descriptor.provider === 'agent') return new StandaloneAgent(id, descriptor.agent, directory, log);
  if (descriptor.home !== undefined && descriptor.home !== providers.home) return new ForeignAgent(id);
  const paths = { unitDir: join(dataDir, 'units', id), socket: join(runtimeDir, `${id}.sock`), sealKey: sealKeyFile };
  return new AgentProcess(id, paths, log, onReady);
}

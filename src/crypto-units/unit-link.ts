import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { CryptoUnit } from '../instances/crypto-unit.entity.js';
import type { KmsUser } from '../instances/kms-user.js';
import { KeysteadError, messageOf } from '../shared/errors.js';
import { AdminClient, AgentConnection, CryptoClient } from '../unit-agent/client.js';
import type { Capabilities } from '../unit-agent/protocol.js';
import { type AgentPaths, AgentProcess } from './agent-process.js';
import type { Observation } from './observation.js';

export interface LinkSettings {
  readonly callDeadlineMs: number;
  readonly probeIntervalMs: number;
}

/**
 * Everything this process holds of one crypto unit: its agent, one connection for administrators, one for the KMS user,
 * and the last observation. A connection that fails is dropped and opened again at the next use.
 */
export class UnitLink {
  readonly agent: AgentProcess;
  observation: Observation | undefined;
  #admin: Promise<AdminClient> | undefined;
  #crypto: Promise<CryptoClient> | undefined;
  #connections = new Set<AgentConnection>();
  #stopped = new AbortController();
  #loop: Promise<void> | undefined;
  #nudge = new AbortController();

  constructor(
    readonly unitId: string,
    private readonly paths: AgentPaths,
    private readonly settings: LinkSettings,
    private readonly log: Logger,
    private readonly onObservation: (observation: Observation) => Promise<void>,
  ) {
    this.agent = new AgentProcess(unitId, paths, log, () => this.probeSoon());
  }

  /** Makes the unit's directory: only ever called for a unit whose token was not made yet. */
  async prepare(unit: CryptoUnit): Promise<void> {
    await mkdir(this.paths.unitDir, { recursive: true, mode: 0o700 });
    const unitJson = { v: 1, id: unit.id, instance: unit.instanceId, ...unit.descriptor };
    await writeFile(join(this.paths.unitDir, 'unit.json'), `${JSON.stringify(unitJson, null, 2)}\n`, { mode: 0o600 });
  }

  start(): void {
    this.agent.start();
    this.#loop ??= this.#keepProbing();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#nudge.abort();
    for (const connection of this.#connections) connection.close();
    await this.agent.stop();
    await this.#loop;
  }

  /** The next probe begins now and not when its time has come. */
  probeSoon(): void {
    this.#nudge.abort();
  }

  admin(): Promise<AdminClient> {
    this.#admin ??= this.#connect(() => (this.#admin = undefined)).then((connection) => new AdminClient(connection));
    return this.#admin;
  }

  /** The connection on which this process proved to be the enrolled KMS user. KMS_USER_REFUSED when it is not. */
  crypto(user: KmsUser): Promise<CryptoClient> {
    this.#crypto ??= this.#openCrypto(user);
    return this.#crypto;
  }

  async capabilities(): Promise<Capabilities> {
    return (await this.admin()).capabilities();
  }

  /** One probe now; its observation is kept, told and returned. Never throws: silence is an observation too. */
  async probe(): Promise<Observation> {
    const observation = await this.#observe();
    this.observation = observation;
    await this.onObservation(observation).catch((cause) => {
      this.log.error({ event: 'observation-not-recorded', unit: this.unitId, cause: messageOf(cause) });
    });
    return observation;
  }

  async #observe(): Promise<Observation> {
    const at = new Date();
    try {
      const { facts, milliseconds } = await (await this.admin()).probe();
      return { kind: 'facts', at, facts, milliseconds };
    } catch (cause) {
      const code = cause instanceof KeysteadError ? cause.code : 'UNIT_UNREACHABLE';
      return { kind: 'silent', at, problem: { code, message: messageOf(cause) } };
    }
  }

  async #openCrypto(user: KmsUser): Promise<CryptoClient> {
    const forget = () => {
      this.#crypto = undefined;
    };
    try {
      return await CryptoClient.open(await this.#connect(forget), user.privateKey);
    } catch (cause) {
      forget();
      throw cause;
    }
  }

  async #connect(forget: () => void): Promise<AgentConnection> {
    try {
      const deadlineMs = this.settings.callDeadlineMs;
      const onHang = () => void this.agent.kill(`no answer within ${deadlineMs} ms`);
      const connection = await AgentConnection.connect(this.paths.socket, { deadlineMs, onHang });
      this.#connections.add(connection);
      void connection.closed.then(() => {
        this.#connections.delete(connection);
        forget();
        if (!this.#stopped.signal.aborted) this.probeSoon();
      });
      return connection;
    } catch (cause) {
      forget();
      throw cause;
    }
  }

  async #keepProbing(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      this.#nudge = new AbortController();
      const { kind } = await this.probe();
      const pause = kind === 'facts' ? this.settings.probeIntervalMs : Math.min(250, this.settings.probeIntervalMs);
      const wake = AbortSignal.any([this.#nudge.signal, this.#stopped.signal]);
      await after(pause, undefined, { signal: wake }).catch(() => undefined); // woken early
    }
  }
}

import { setTimeout as after } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { KmsUser } from '../instances/kms-user.js';
import { KeysteadError, messageOf, needs } from '../shared/errors.js';
import {
  AdminClient,
  type AgentConnection,
  CallMeter,
  type ConnectionOptions,
  CryptoClient,
} from '../unit-agent/client.js';
import type { Capabilities, UnitFacts } from '../unit-agent/protocol.js';
import type { Agent } from './agent.js';
import { Breaker } from './breaker.js';
import type { Observation } from './observation.js';

export interface LinkSettings {
  readonly callDeadlineMs: number;
  readonly probeIntervalMs: number;
}

/** While the agent is silent it is asked again after a pause that doubles up to this one; so is one that is not well. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 1_000;
/** Use of a key takes milliseconds. An agent that takes longer than this part of the deadline is left for another one. */
const CRYPTO_SHARE = 0.5;
const LEAST_CRYPTO_MS = 1_000;
const STALLED_SHARE = 0.08;

/**
 * Everything this process holds of one crypto unit: its agent, one connection for administrators, one for the KMS user,
 * and the last observation. A connection that fails is dropped and opened again at the next use.
 */
export class UnitLink {
  readonly breaker = new Breaker();
  readonly calls = new CallMeter();
  observation: Observation | undefined;
  #admin: Promise<AdminClient> | undefined;
  #crypto: Promise<CryptoClient> | undefined;
  #open: CryptoClient | undefined;
  #cryptoConnection: AgentConnection | undefined;
  #pauseMs = 0;
  #connections = new Set<AgentConnection>();
  #stopped = new AbortController();
  #loop: Promise<void> | undefined;
  #nudge = new AbortController();

  constructor(
    readonly unitId: string,
    readonly agent: Agent,
    private readonly settings: LinkSettings,
    private readonly log: Logger,
    private readonly onObservation: (observation: Observation) => Promise<void>,
  ) {}

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
    this.#admin ??= this.#openAdmin();
    return this.#admin;
  }

  /** The connection for the KMS user, while one is open. */
  get open(): CryptoClient | undefined {
    return this.#open;
  }

  /** The connection on which this process proved to be the enrolled KMS user. KMS_USER_REFUSED when it is not. */
  crypto(user: KmsUser): Promise<CryptoClient> {
    this.#crypto ??= this.#openCrypto(user);
    return this.#crypto;
  }

  /** Requests of keys wait on the unit's connection for longer than they should: others are better asked elsewhere. */
  stalled(): boolean {
    if (this.#cryptoConnection?.silent) return true;
    const since = this.#cryptoConnection?.waitingSince;
    return since !== undefined && performance.now() - since > this.settings.callDeadlineMs * STALLED_SHARE;
  }

  /** Calls that wait for their answer, on all connections. */
  get inFlight(): number {
    let count = 0;
    for (const connection of this.#connections) count += connection.inFlight;
    return count;
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
      const { facts, milliseconds, canary = isWell(facts), sessions = null } = await (await this.admin()).probe();
      needs(
        facts.unit === this.unitId,
        'CONFIG_INVALID',
        `the agent that answers for crypto unit ${this.unitId} is of unit ${facts.unit}; correct KEYSTEAD_AGENTS_FILE, or: kp crypto-unit replace ${this.unitId}`,
      );
      if (isWell(facts)) this.breaker.foundWell(at.getTime());
      return { kind: 'facts', at, facts, milliseconds, canary, sessions };
    } catch (cause) {
      const code = cause instanceof KeysteadError ? cause.code : 'UNIT_UNREACHABLE';
      return { kind: 'silent', at, problem: { code, message: messageOf(cause) } };
    }
  }

  async #openAdmin(): Promise<AdminClient> {
    const { callDeadlineMs: deadlineMs } = this.settings;
    const onHang = () => void this.agent.hung(`no answer within ${deadlineMs} ms`);
    const forget = () => {
      this.#admin = undefined;
    };
    try {
      return new AdminClient(await this.#connect(undefined, { deadlineMs, onHang }, forget));
    } catch (cause) {
      forget();
      throw cause;
    }
  }

  /** Its deadline is shorter: when it passes, other units are asked, and the prober finds out whether the agent hangs. */
  async #openCrypto(user: KmsUser): Promise<CryptoClient> {
    const forget = () => {
      this.#crypto = undefined;
      this.#open = undefined;
      this.#cryptoConnection = undefined;
    };
    const { callDeadlineMs } = this.settings;
    const deadlineMs = Math.min(callDeadlineMs, Math.max(LEAST_CRYPTO_MS, callDeadlineMs * CRYPTO_SHARE));
    try {
      const connection = await this.#connect(user, { deadlineMs }, () => {
        if (this.#cryptoConnection === connection) forget();
        // those who were in haste have left, and cannot say so
        for (let n = 0; n < connection.unanswered; n += 1) this.breaker.failed(Date.now(), true);
      });
      this.#cryptoConnection = connection;
      const open = await CryptoClient.open(connection, user.privateKey, this.unitId);
      if (this.#cryptoConnection === connection) this.#open = open;
      return open;
    } catch (cause) {
      this.#cryptoConnection?.close();
      forget();
      throw cause;
    }
  }

  async #connect(user: KmsUser | undefined, options: ConnectionOptions, gone: () => void): Promise<AgentConnection> {
    const connection = await this.agent.connect(user, { ...options, calls: this.calls });
    this.#connections.add(connection);
    void connection.closed.then(() => {
      this.#connections.delete(connection);
      gone();
      if (!this.#stopped.signal.aborted) this.probeSoon();
    });
    return connection;
  }

  async #keepProbing(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      this.#nudge = new AbortController();
      const seen = await this.probe();
      const { probeIntervalMs } = this.settings;
      const well = seen.kind === 'facts' && seen.canary;
      this.#pauseMs = well ? 0 : Math.min(Math.max(2 * this.#pauseMs, FIRST_PAUSE_MS), LONGEST_PAUSE_MS);
      const pause = well ? probeIntervalMs : Math.min(jittered(this.#pauseMs), probeIntervalMs);
      const wake = AbortSignal.any([this.#nudge.signal, this.#stopped.signal]);
      await after(pause, undefined, { signal: wake }).catch(() => undefined); // woken early
    }
  }
}

/** As far as the facts go. */
function isWell({ token, masterKeyMatches }: UnitFacts): boolean {
  return token.problem === null && masterKeyMatches !== false;
}

/** Several servers must not come back to an agent all at once. */
function jittered(milliseconds: number): number {
  return Math.round(milliseconds * (0.75 + Math.random() / 2));
}

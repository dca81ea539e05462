import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { EventsHandler, type IEventHandler } from '@nestjs/cqrs';
import type { Logger } from 'pino';
import { DataSource, IsNull } from 'typeorm';
import { KEYSTEAD } from '../access/caller.js';
import { AuditLog } from '../audit/audit-log.js';
import { Config } from '../config/config.js';
import { LOG } from '../config/log.js';
import { AgentDirectory } from '../instances/agent-directory.js';
import { UnitsChanged } from '../instances/create-instance.command.js';
import { CryptoUnit } from '../instances/crypto-unit.entity.js';
import { Instance } from '../instances/instance.entity.js';
import { type KmsUser, kmsUserOf } from '../instances/kms-user.js';
import { ProviderSource } from '../instances/providers.js';
import { KeysteadError, messageOf } from '../shared/errors.js';
import type { UnitState } from '../shared/unit-state.js';
import { agentOf } from './agent-of.js';
import { unitState } from './conditions.js';
import { LogVerdicts } from './log-verdicts.js';
import { marksAfter, withNewerMarks } from './marks.js';
import type { Observation } from './observation.js';
import { ServingCache, servingOf } from './serving-cache.js';
import { UnitLink } from './unit-link.js';
import { marksOf, type UnitView, viewOf } from './unit-view.js';

/** What another server did to units is known here after this time. */
const RECONCILE_EVERY_MS = 500;

/** A unit with the link to its agent, as this process knows it now. */
interface Member {
  unit: CryptoUnit;
  readonly link: UnitLink;
}

/**
 * Every crypto unit that this process serves from. The database says which units there are; the fleet keeps an agent
 * running for each, watches it, and notes in the database what the database must know.
 */
@Injectable()
@EventsHandler(UnitsChanged)
export class Fleet implements OnApplicationBootstrap, OnApplicationShutdown, IEventHandler<UnitsChanged> {
  readonly #members = new Map<string, Member>();
  readonly #instances = new Map<string, Instance>();
  readonly #kmsUsers = new Map<string, Promise<KmsUser>>();
  readonly #kmsKids = new Map<string, string>();
  readonly #serving = new ServingCache();
  #timer: NodeJS.Timeout | undefined;
  #reconciling: Promise<void> = Promise.resolve();
  #stopping = false;

  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
    private readonly config: Config,
    private readonly providers: ProviderSource,
    private readonly agents: AgentDirectory,
    private readonly logs: LogVerdicts,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    if (this.agents.configured) await this.agents.agents(); // a file that is wrong is said at once
    await this.reconcile();
    this.#timer = setInterval(() => void this.#reconcileQuietly(), RECONCILE_EVERY_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#timer);
    await this.#reconciling.catch(() => undefined); // it reported its failure already
    await Promise.all([...this.#members.values()].map(({ link }) => link.stop()));
  }

  handle(): void {
    void this.#reconcileQuietly();
  }

  /** Reads the units there are now and starts and stops agents accordingly. One at a time. */
  reconcile(): Promise<void> {
    this.#reconciling = this.#reconciling.catch(() => undefined).then(() => this.#reconcileOnce());
    return this.#reconciling;
  }

  /** Another server may have acted on the units since they were last looked at here: now they are as the database says. */
  async catchUp(): Promise<void> {
    await this.reconcile();
    await Promise.all([...this.#members.values()].filter(isOvertaken).map(({ link }) => link.probe()));
  }

  /** The link to a unit. UNIT_NOT_FOUND when there is no such unit. */
  link(unitId: string): UnitLink {
    return this.#member(unitId).link;
  }

  unit(unitId: string): CryptoUnit {
    return this.#member(unitId).unit;
  }

  instance(instanceId: string): Instance | undefined {
    return this.#instances.get(instanceId);
  }

  instances(): Instance[] {
    return [...this.#instances.values()];
  }

  /** The instance's units as they are now, in their order. */
  views(instanceId: string): UnitView[] {
    const members = this.#siblings(instanceId);
    const pinned = this.#instances.get(instanceId)?.mkvp ?? null;
    const now = new Date();
    return members.map(({ unit, link }) =>
      viewOf(
        unit,
        link,
        pinned,
        members
          .filter((other) => other.unit.id !== unit.id)
          .map((other) => ({ ...other.unit, observation: other.link.observation })),
        now,
        this.logs.of(
          unit.id,
          members.map((other) => other.unit.id),
        ),
        this.#kmsKids.get(instanceId),
      ),
    );
  }

  /** Ids of the instance's units that serve now. */
  serving(instanceId: string): readonly string[] {
    const pinned = this.#instances.get(instanceId)?.mkvp ?? null;
    const kmsUser = this.#kmsKids.get(instanceId);
    const inputs: unknown[] = [pinned, kmsUser, this.logs.revision];
    for (const { unit, link } of this.#members.values()) {
      if (unit.instanceId === instanceId) inputs.push(unit, link.observation);
    }
    const judge = () => servingOf(this.#siblings(instanceId), this.logs, pinned, kmsUser);
    return this.#serving.of(instanceId, inputs, judge);
  }

  view(unitId: string): UnitView {
    const { unit } = this.#member(unitId);
    return this.views(unit.instanceId).find((view) => view.id === unitId) as UnitView;
  }

  /** The state of a unit whose row was just read; this process may not have met it yet, or not any more. */
  stateOf(row: CryptoUnit): UnitState {
    const met = this.#members.get(row.id);
    return unitState(marksOf(met?.unit ?? row), met?.link.observation);
  }

  kmsUser(instanceId: string): Promise<KmsUser> {
    const known = this.#kmsUsers.get(instanceId);
    if (known) return known;
    const made = kmsUserOf(this.config.sharedDir, instanceId);
    this.#kmsUsers.set(instanceId, made);
    made.then(
      ({ fingerprint }) => this.#kmsKids.set(instanceId, fingerprint),
      () => this.#kmsUsers.delete(instanceId),
    );
    return made;
  }

  #siblings(instanceId: string): Member[] {
    return [...this.#members.values()]
      .filter(({ unit }) => unit.instanceId === instanceId)
      .sort((a, b) => a.unit.ordinal - b.unit.ordinal);
  }

  #member(unitId: string): Member {
    const member = this.#members.get(unitId);
    if (member) return member;
    throw new KeysteadError(
      'UNIT_NOT_FOUND',
      `there is no crypto unit ${unitId}; 'kp crypto-units' shows those there are`,
    );
  }

  async #reconcileQuietly(): Promise<void> {
    await this.reconcile().catch((cause) => this.log.warn({ event: 'fleet-not-read', cause: messageOf(cause) }));
  }

  async #reconcileOnce(): Promise<void> {
    if (this.#stopping) return;
    const instances = await this.db.manager.findBy(Instance, { deletedAt: IsNull() });
    const units = await this.db.manager.findBy(CryptoUnit, { retiredAt: IsNull() });
    for (const unit of units) await this.#meet(unit);
    this.#serving.clear();
    this.#instances.clear(); // after the units: an instance that is known has all of them
    for (const instance of instances) this.#instances.set(instance.id, instance);
    await Promise.allSettled(instances.map(({ id }) => this.kmsUser(id))); // who uses it hears why it cannot be read
    const gone = [...this.#members].filter(([id]) => !units.some((unit) => unit.id === id));
    for (const [id] of gone) this.#members.delete(id);
    await Promise.all(gone.map(([, { link }]) => link.stop()));
  }

  async #meet(unit: CryptoUnit): Promise<void> {
    const known = this.#members.get(unit.id);
    if (known) {
      known.unit = withNewerMarks(unit, known.unit);
      if (isOvertaken(known)) known.link.probeSoon();
      return;
    }
    const soon = () => this.#members.get(unit.id)?.link.probeSoon();
    const agent = agentOf(unit, this.config, this.providers, this.agents, this.log, soon);
    const link = new UnitLink(unit.id, agent, this.config, this.log, (observation) => this.#note(unit.id, observation));
    if (unit.serial === null) await agent.prepare(unit);
    this.#members.set(unit.id, { unit, link });
    link.start();
  }

  /** Writes what an observation changes in the database, with an audit line where it is an event of its own. */
  async #note(unitId: string, observation: Observation): Promise<void> {
    if (observation.kind !== 'facts' || this.#stopping) return;
    await this.logs.judge(unitId, observation.facts.audit);
    const member = this.#members.get(unitId);
    if (!member) return;
    const { facts } = observation;
    const marks = marksAfter(member.unit, facts);
    const capabilities =
      member.unit.capabilities === null && facts.token.present ? await member.link.capabilities() : undefined;
    if (marks === undefined && capabilities === undefined) return;
    await this.db.transaction(async (tx) => {
      const unit = await tx.findOne(CryptoUnit, { where: { id: unitId }, lock: { mode: 'pessimistic_write' } });
      if (unit === null) return;
      const next = marksAfter(unit, facts);
      if (next !== undefined && next.claimedEpoch !== unit.claimedEpoch) {
        await this.audit.append(tx, {
          act: next.claimedEpoch === null ? 'crypto-unit.seen-zeroized' : 'crypto-unit.seen-claimed',
          outcome: 'success',
          by: KEYSTEAD,
          instanceId: unit.instanceId,
          unitId,
          detail: { serial: next.serial, epoch: next.claimedEpoch, zeroized: facts.zeroized?.receipt ?? null },
        });
      }
      Object.assign(unit, next && { ...next, seenAt: new Date(facts.at) }, capabilities && { capabilities });
      member.unit = await tx.save(unit);
    });
  }
}

/** Another server noted facts of the unit that are newer than what was seen of it here. */
function isOvertaken({ unit, link: { observation } }: Member): boolean {
  return unit.seenAt !== null && observation?.kind === 'facts' && new Date(observation.facts.at) < unit.seenAt;
}

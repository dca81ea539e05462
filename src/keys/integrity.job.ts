import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { Logger } from 'pino';
import { DataSource, In, IsNull, MoreThan } from 'typeorm';
import { KEYSTEAD } from '../access/caller.js';
import { ChainWatch } from '../audit/chain-watch.js';
import { RowWatch } from '../audit/row-watch.js';
import { Config } from '../config/config.js';
import { LOG } from '../config/log.js';
import { UnitPicker } from '../crypto-units/unit-picker.js';
import { unhurried } from '../database/unhurried.js';
import { KeysteadError, messageOf, needs } from '../shared/errors.js';
import { Key, KeyVersion } from './key.entity.js';
import { KeyActs } from './key-acts.js';
import { KeyIntegrity } from './key-integrity.js';
import { rowOf } from './key-row.js';
import { KeyUnits } from './key-units.js';

const PAGE = 200;
const FIRST = '00000000-0000-0000-0000-000000000000';

/**
 * After a walk that is longer comes a rest that is so many times as long: with the rests between its pages, a walk over a
 * million keys takes a twentieth of the time.
 */
const SHORT_WALK_MS = 2_000;
const REST = 5;
/** Rows from before there were numbers, of one walk. */
const MOST_NUMBERED = 500;

/**
 * Walks what is stored: whether the audit log tells the same of it, and whether units find the MACs of all versions right.
 * What was changed behind our back shows in health.
 */
@Injectable()
export class IntegrityWalk implements OnApplicationBootstrap, OnApplicationShutdown {
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;
  #stopping = false;
  #restUntil = 0;

  constructor(
    private readonly db: DataSource,
    private readonly units: UnitPicker,
    private readonly integrity: KeyIntegrity,
    private readonly watch: RowWatch,
    private readonly chain: ChainWatch,
    private readonly acts: KeyActs,
    private readonly keyUnits: KeyUnits,
    private readonly config: Config,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.#timer = setInterval(() => {
      if (performance.now() < this.#restUntil) return;
      this.#round ??= this.run()
        .catch((cause) => this.log.warn({ event: 'integrity-not-checked', cause: messageOf(cause) }))
        .finally(() => {
          this.#round = undefined;
        });
    }, this.config.timers.integrity);
  }

  async onApplicationShutdown(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#timer);
    await this.#round;
  }

  /** One walk. Keys of instances without a serving unit are passed over. */
  async run(): Promise<void> {
    const began = performance.now();
    const before = new Set(this.integrity.report().invalid);
    const known = this.watch.changed();
    await this.chain.walk(() => this.#stopping);
    await this.watch.walk(() => this.#stopping);
    const { rows, invalid, unnumbered } = await this.#macs();
    if (this.#stopping) return;
    const { keys = [], ...others } = this.watch.changed();
    this.integrity.walked(rows, invalid, new Set(keys));
    const found = this.integrity.report().invalid.filter((id) => !before.has(id));
    if (found.length > 0)
      this.log.error({ event: 'key-rows-changed', keys: found.slice(0, PAGE), count: found.length });
    for (const [table, all] of Object.entries(others)) {
      const ids = all.filter((id) => !known[table]?.includes(id));
      if (ids.length > 0) this.log.error({ event: 'rows-changed', table, ids: ids.slice(0, PAGE), count: ids.length });
    }
    for (const key of unnumbered) await this.#number(key);
    const ended = performance.now();
    if (ended - began > SHORT_WALK_MS) this.#restUntil = ended + REST * (ended - began);
  }

  /** All MACs: how many rows there are, keys whose rows units refuse, and some good ones that have no number yet. */
  async #macs(): Promise<{ rows: number; invalid: Set<string>; unnumbered: Key[] }> {
    const invalid = new Set<string>();
    const unnumbered: Key[] = [];
    let [rows, last] = [0, FIRST];
    const next = async (after: string) => {
      const page = await this.#page(after);
      const refused = await this.#invalidOf(page);
      for (const id of refused) invalid.add(id);
      if (unnumbered.length < MOST_NUMBERED) unnumbered.push(...(await this.#unnumbered(page, refused)));
      return page;
    };
    for (let more = true; more && !this.#stopping; ) {
      const after = last;
      const page = await unhurried(() => next(after));
      last = page.at(-1)?.id ?? last;
      rows += page.length;
      more = page.length === PAGE;
    }
    return { rows, invalid, unnumbered };
  }

  #page(after: string): Promise<KeyVersion[]> {
    return this.db.manager.find(KeyVersion, { where: { id: MoreThan(after) }, order: { id: 'ASC' }, take: PAGE });
  }

  #unnumbered(page: readonly KeyVersion[], refused: readonly string[]): Promise<Key[]> {
    const ids = page.map(({ keyId }) => keyId).filter((id) => !refused.includes(id));
    return this.db.manager.findBy(Key, { id: In(ids), auditSeq: IsNull() });
  }

  /** From then on the audit log tells of the key. One whose instance has no serving unit has to wait. */
  async #number({ id, instanceId }: Key): Promise<void> {
    if (this.#stopping) return;
    await this.acts
      .run({ by: KEYSTEAD, act: 'kms.secrets.number' }, { instanceId, key: id }, async (tx, key) => {
        needs(key.auditSeq === null, 'KEY_STATE', 'somebody was quicker');
        return { key: await this.keyUnits.change(tx, key, {}) };
      })
      .catch((cause) => this.log.debug({ event: 'key-not-numbered', key: id, cause: messageOf(cause) }));
  }

  /** The ids of keys of this page that units refuse. A row may have changed since it was read: those are read again. */
  async #invalidOf(page: readonly KeyVersion[]): Promise<string[]> {
    const suspects = await this.#refused(page);
    if (suspects.length === 0) return [];
    const again = await this.db.manager.findBy(KeyVersion, { id: In(suspects.map(({ id }) => id)) });
    return (await this.#refused(again)).map(({ keyId }) => keyId);
  }

  async #refused(page: readonly KeyVersion[]): Promise<KeyVersion[]> {
    const keys = await this.db.manager.findBy(Key, { id: In(page.map(({ keyId }) => keyId)) });
    const byId = new Map(keys.map((key) => [key.id, key]));
    const refused = page.filter(({ keyId, instanceId }) => byId.get(keyId)?.instanceId !== instanceId);
    const known = page.filter((one) => !refused.includes(one));
    for (const instanceId of new Set(known.map((one) => one.instanceId))) {
      const versions = known.filter((one) => one.instanceId === instanceId);
      const rows = versions.map((version) => ({
        row: rowOf(byId.get(version.keyId) as Key, version),
        blob: version.blob,
        mac: version.mac,
      }));
      const genuine = await this.#check(instanceId, rows);
      refused.push(...versions.filter((_, at) => genuine[at] === false));
    }
    return refused;
  }

  async #check(instanceId: string, rows: Parameters<Check>[0]): Promise<boolean[]> {
    try {
      return (await this.units.use(instanceId, (unit) => unit.checkRows(rows))).result;
    } catch (cause) {
      if (cause instanceof KeysteadError && cause.code === 'NO_HEALTHY_UPSTREAM') return [];
      throw cause;
    }
  }
}

type Check = Parameters<Parameters<UnitPicker['use']>[1]>[0]['checkRows'];

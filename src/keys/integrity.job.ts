import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { Logger } from 'pino';
import { DataSource, In, MoreThan } from 'typeorm';
import { Config } from '../config/config.js';
import { LOG } from '../config/log.js';
import { UnitPicker } from '../crypto-units/unit-picker.js';
import { KeysteadError, messageOf } from '../shared/errors.js';
import { Key, KeyVersion } from './key.entity.js';
import { KeyIntegrity } from './key-integrity.js';
import { rowOf } from './key-row.js';

const PAGE = 200;
const FIRST = '00000000-0000-0000-0000-000000000000';

/** Walks all stored versions and has units check their MACs. What was changed behind our back shows in health. */
@Injectable()
export class IntegrityWalk implements OnApplicationBootstrap, OnApplicationShutdown {
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;
  #stopping = false;

  constructor(
    private readonly db: DataSource,
    private readonly units: UnitPicker,
    private readonly integrity: KeyIntegrity,
    private readonly config: Config,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.#timer = setInterval(() => {
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
    const invalid = new Set<string>();
    let [rows, last] = [0, FIRST];
    for (let more = true; more && !this.#stopping; ) {
      const page = await this.db.manager.find(KeyVersion, {
        where: { id: MoreThan(last) },
        order: { id: 'ASC' },
        take: PAGE,
      });
      for (const id of await this.#invalidOf(page)) invalid.add(id);
      last = page.at(-1)?.id ?? last;
      rows += page.length;
      more = page.length === PAGE;
    }
    if (this.#stopping) return;
    const { invalid: before } = this.integrity.report();
    const found = [...invalid].filter((id) => !before.includes(id));
    if (found.length > 0)
      this.log.error({ event: 'key-rows-changed', keys: found.slice(0, PAGE), count: found.length });
    this.integrity.walked(rows, invalid);
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

import { BlockList, isIP, isIPv6 } from 'node:net';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { isUuid } from '../shared/uuid.js';
import { InstancePolicy } from './instance-policy.entity.js';
import { assertCreate, assertToken, type Enabled, policiesForNewKey } from './instance-policy-rules.js';

/** Asked about with every request; a change of these policies may take this long. */
const CACHE_MS = 500;
const MOST_CACHED = 1_000;
const PRIVATE = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '::1/128',
  'fc00::/7',
  'fe80::/10',
];

/** What every request asks of the policies, several times. */
interface AtHand {
  readonly until: number;
  readonly lists: readonly BlockList[];
  readonly metrics: boolean;
}

/** The enabled policies of an instance, asked what they allow. */
export interface PolicyEngine {
  assertCreate(input: Parameters<typeof assertCreate>[1]): void;
  assertToken(input: Parameters<typeof assertToken>[1]): void;
  forNewKey(input: Parameters<typeof policiesForNewKey>[1]): ReturnType<typeof policiesForNewKey>;
}

/** Reads the instance policies from the database each time; only what every request asks is remembered for a moment. */
@Injectable()
export class InstancePolicies {
  readonly #cache = new Map<string, AtHand>();
  /** Reads under way, which all share who ask meanwhile. */
  readonly #reads = new Map<string, Promise<AtHand>>();

  constructor(private readonly db: DataSource) {}

  async of(instanceId: string): Promise<PolicyEngine> {
    const enabled = await this.#enabled(instanceId);
    return {
      assertCreate: (input) => assertCreate(enabled, input),
      assertToken: (input) => assertToken(enabled, input),
      forNewKey: (input) => policiesForNewKey(enabled, input),
    };
  }

  /** Whether allowedIP and allowedNetwork let a caller in from this address: at once, when they are at hand. */
  admits(instanceId: string, address: string): boolean | Promise<boolean> {
    return this.#asked(instanceId, ({ lists }) => admittedBy(lists, address), true); // the handler says that there is none
  }

  /** Whether the metrics policy lets the use of the instance be measured: at once, when it is at hand. */
  measures(instanceId: string): boolean | Promise<boolean> {
    return this.#asked(instanceId, ({ metrics }) => metrics, false);
  }

  /** `otherwise` for what no instance is called. */
  #asked(instanceId: string, answer: (policies: AtHand) => boolean, otherwise: boolean): boolean | Promise<boolean> {
    const known = this.#cache.get(instanceId);
    if (known !== undefined && known.until > Date.now()) return answer(known);
    if (!isUuid(instanceId)) return otherwise;
    let read = this.#reads.get(instanceId);
    if (read === undefined) {
      read = this.#read(instanceId).finally(() => this.#reads.delete(instanceId));
      this.#reads.set(instanceId, read);
    }
    return read.then(answer);
  }

  async #read(instanceId: string): Promise<AtHand> {
    const { allowedIP, allowedNetwork, metrics } = await this.#enabled(instanceId);
    const lists = [
      ...(allowedIP?.allowedIp ? [subnets(allowedIP.allowedIp)] : []),
      ...(allowedNetwork?.allowedNetwork === 'private-only' ? [subnets(PRIVATE)] : []),
    ];
    const now = { until: Date.now() + CACHE_MS, lists, metrics: metrics !== undefined };
    if (this.#cache.size >= MOST_CACHED) this.#cache.clear(); // callers may name what is no instance
    this.#cache.set(instanceId, now);
    return now;
  }

  async #enabled(instanceId: string): Promise<Enabled> {
    const rows = await this.db.manager.findBy(InstancePolicy, { instanceId, enabled: true });
    return Object.fromEntries(rows.map(({ type, attributes }) => [type, attributes]));
  }
}

function admittedBy(lists: readonly BlockList[], address: string): boolean {
  if (lists.length === 0) return true;
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  return isIP(plain) !== 0 && lists.every((list) => list.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4'));
}

function subnets(list: readonly string[]): BlockList {
  const all = new BlockList();
  for (const text of list) {
    const [address = '', bits] = text.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    all.addSubnet(address, Number(bits ?? (family === 'ipv6' ? 128 : 32)), family);
  }
  return all;
}

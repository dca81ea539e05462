import { isIPv6 } from 'node:net';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Config } from '../config/config.js';
import { BatchedStatement } from '../database/batched-statement.js';
import { databaseOutage } from '../database/outage.js';
import { RateLimitError } from '../shared/errors.js';
import { RecentMap } from '../shared/recent-map.js';

const MOST_ENTRIES = 10_000;
/** With one credential a tenth of what an address may do: whoever repeats one that was refused is a broken client. */
const CREDENTIAL_SHARE = 10;
/** Whoever has one IPv6 address has 2^64 of them: a whole network of that size counts as one (RFC 6177). */
const NETWORK_GROUPS = 4;

/** Adds so many failures to each place. Rows whose time has come mean nothing. */
const ADD = `
  WITH "gone" AS (
    DELETE FROM "failed_attempts" WHERE "place" IN (
      SELECT "place" FROM "failed_attempts" WHERE "forgotten" <= now() AND "place" <> ALL ($1) LIMIT 100
      FOR UPDATE SKIP LOCKED))
  INSERT INTO "failed_attempts" AS "known" ("place", "forgotten")
  SELECT "place", now() + "more" * $3::float8 * interval '1 millisecond'
  FROM unnest($1::text[], $2::int[]) AS "new" ("place", "more") ORDER BY "place"
  ON CONFLICT ("place") DO UPDATE
  SET "forgotten" = greatest("known"."forgotten", now()) + (EXCLUDED."forgotten" - now())
  RETURNING "place", extract(epoch FROM "forgotten" - now()) * 1000 AS "left"`;

/** In how many milliseconds all failures of a place are forgotten. */
interface Left {
  readonly place: string;
  readonly left: string;
}

/**
 * How many authentications may fail before one waits: for each address, and fewer for each credential at an address (never
 * for a credential alone: others could use it up for its owner). A failure moves the moment at which all is forgotten by
 * one interval; too far ahead means too many. The moments are in the database, for all servers together; a server learns of
 * one with the first failure it sees there. What succeeds costs nothing, and asks the memory of this process only.
 */
@Injectable()
export class FailedAttempts {
  /** When all failures of a place are forgotten, in milliseconds of this process' clock. */
  readonly #forgotten = new RecentMap<number>(MOST_ENTRIES);
  readonly #failures: BatchedStatement<Left>;

  constructor(
    db: DataSource,
    private readonly config: Config,
  ) {
    this.#failures = new BatchedStatement(
      (places, counts) => db.query(ADD, [places, counts, config.timers.failedAttempt]),
      ({ place }) => place,
    );
  }

  /** Throws RATE_LIMITED when this address, or this credential there, has failed too often of late. */
  check(address: string, subject: string): void {
    const waits = this.#places(address, subject).map(([place, most]) => this.#waitMs(place, most));
    const wait = Math.max(0, ...waits);
    if (wait === 0) return;
    const seconds = Math.max(1, Math.ceil(wait / 1000));
    throw new RateLimitError(`too many failed authentications; try again in ${seconds} s`, seconds);
  }

  /** Notes a failure: when this returns, every server that sees one more there knows of this one. */
  async note(address: string, subject: string): Promise<void> {
    const places = this.#places(address, subject).map(([place]) => place);
    try {
      const rows = await Promise.all(places.map((place) => this.#failures.find(place)));
      for (const [at, place] of places.entries()) this.#forgotten.set(place, Date.now() + Number(rows[at]?.left ?? 0));
    } catch (cause) {
      if (databaseOutage(cause) === undefined) throw cause;
      for (const place of places) this.#forgotten.set(place, this.#ahead(place) + this.config.timers.failedAttempt);
    }
  }

  #places(address: string, subject: string): [string, number][] {
    const most = this.config.limits.failedAttempts;
    if (most === 0) return [];
    const where = networkOf(address);
    return [
      [where, most],
      [`${where} ${subject}`, Math.max(1, Math.floor(most / CREDENTIAL_SHARE))],
    ];
  }

  #ahead(place: string): number {
    return Math.max(this.#forgotten.get(place) ?? 0, Date.now());
  }

  #waitMs(place: string, most: number): number {
    return Math.max(0, this.#ahead(place) - Date.now() - (most - 1) * this.config.timers.failedAttempt);
  }
}

/** An IPv4 address as it is; of an IPv6 address its first 64 bits. */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.toLowerCase().split('%')[0]?.split('::') ?? [];
  const groups = (text: string | undefined) => (text ? text.split(':') : []);
  const zeros = 8 - groups(head).length - groups(tail).length;
  const all = tail === undefined ? groups(head) : [...groups(head), ...Array(zeros).fill('0'), ...groups(tail)];
  return `${all
    .slice(0, NETWORK_GROUPS)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}

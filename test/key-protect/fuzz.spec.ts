import { z } from 'zod';
import type { Operation } from '../../src/dialects/key-protect/operation.js';
import { OPERATIONS } from '../../src/dialects/key-protect/operations.js';
import { KeyProtectWorld } from './key-protect-world.js';

/** How many requests of each role; CI asks for 10 000. */
const REQUESTS = Number(process.env['KEYSTEAD_FUZZ_REQUESTS'] ?? 400);
const SEED = Number(process.env['KEYSTEAD_FUZZ_SEED'] ?? Date.now() % 1_000_000);
const ROLES = ['Reader', 'ReaderPlus', 'Writer', 'Manager', 'KeyPurge'] as const;
const AT_ONCE = 4;

interface JsonSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly enum?: readonly unknown[];
}

let w: KeyProtectWorld;
const keys: string[] = [];
beforeAll(async () => {
  w = await KeyProtectWorld.start({
    KEYSTEAD_LIMIT_KEYS: '0',
    KEYSTEAD_TIMER_PURGE_MS: '1',
    KEYSTEAD_TIMER_ENABLE_MS: '1',
  });
  for (const extractable of [false, true, false]) keys.push((await w.create({ extractable })).id);
}, 180_000);
afterAll(() => w?.end(), 30_000);

describe('whatever is sent', () => {
  it.each(ROLES)(
    `is answered below 500 and as described, for a %s (seed ${SEED})`,
    async (role) => {
      const dice = new Dice(SEED + ROLES.indexOf(role));
      const apiKey = await w.apiKeyWith(role);
      const faults: string[] = [];
      const sendOne = async () => {
        const operation = dice.oneOf(OPERATIONS);
        const path = pathOf(operation, dice);
        const body = ['GET', 'HEAD'].includes(operation.method) ? undefined : bodyOf(operation, dice);
        const headers = dice.chance(0.2)
          ? { 'x-kms-key-ring': dice.oneOf(['default', 'none', 'ä'.normalize(), '']) }
          : {};
        const { status, text } = await w.send(operation.method, path, { body, apiKey, headers: safe(headers) });
        if (status >= 500) faults.push(`${operation.method} ${path} ${JSON.stringify(body)} → ${status} ${text}`);
        if (status === 201 && operation.id === 'createKey') keys.push(JSON.parse(text).resources[0].id);
      };
      for (let sent = 0; sent < REQUESTS; sent += AT_ONCE) await Promise.all(Array.from({ length: AT_ONCE }, sendOne));
      expect(faults).toEqual([]);
      expect(w.proxy.violations).toEqual([]);
    },
    3_600_000,
  );
});

/** Headers as fetch accepts them. */
function safe(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => /^[\x20-\x7e]*$/.test(value)));
}

function pathOf({ path, query }: Operation, dice: Dice): string {
  const filled = path.replace(/:(\w+)/g, (_whole, name: string) =>
    encodeURIComponent(name === 'id' && dice.chance(0.8) ? dice.oneOf(keys) : dice.text() || 'x'),
  );
  const names = Object.keys((jsonSchemaOf(query).properties ?? {}) as object);
  const given = names.filter(() => dice.chance(0.3)).map((name): [string, string] => [name, dice.queryText()]);
  return given.length === 0 ? filled : `${filled}?${new URLSearchParams(given)}`;
}

function bodyOf({ body }: Operation, dice: Dice): unknown {
  if (dice.chance(0.05)) return dice.oneOf(['', 'null', '{', '[]', '"x"', '{"a":1,"a":2}', '\u0000']);
  const made = valueFor(jsonSchemaOf(body), dice);
  return JSON.stringify(made) ?? '';
}

function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
}

/** A value that has the shape of the schema mostly, and now and then another one. */
function valueFor(schema: JsonSchema, dice: Dice): unknown {
  if (dice.chance(0.03)) return dice.oneOf<unknown>([null, true, -1, 1e15, 'x', [], {}, [[]]]);
  if (schema.enum !== undefined && dice.chance(0.8)) return dice.oneOf(schema.enum);
  switch (schema.type) {
    case 'object': {
      const members = Object.entries(schema.properties ?? {}).filter(([name]) => dice.chance(usual(name)));
      const object = Object.fromEntries(members.map(([name, inner]) => [dice.cased(name), valueFor(inner, dice)]));
      return dice.chance(0.03) ? { ...object, unknown: 1 } : object;
    }
    case 'array':
      return Array.from({ length: dice.oneOf([0, 1, 1, 1, 1, 2]) }, () => valueFor(schema.items ?? {}, dice));
    case 'boolean':
      return dice.chance(0.5);
    case 'integer':
    case 'number':
      return dice.oneOf([0, 1, 1, 1, 2, 12, 13, 300, 86_400, -1, 2.5]);
    default:
      return dice.text();
  }
}

const usual = (name: string): number => (/^(metadata|resources|name|collection|policy_)/.test(name) ? 0.97 : 0.25);

/** Numbers that can be had again: the seed stands in the title of the test. */
class Dice {
  constructor(private state: number) {}

  #next(): number {
    this.state = (Math.imul(this.state, 1_664_525) + 1_013_904_223) >>> 0;
    return this.state / 2 ** 32;
  }
  chance(part: number): boolean {
    return this.#next() < part;
  }
  oneOf<T>(items: readonly T[]): T {
    return items[Math.floor(this.#next() * items.length)] as T;
  }
  cased(name: string): string {
    return this.chance(0.05) ? name.toUpperCase() : name;
  }
  text(): string {
    const fixed = [
      '',
      'a',
      'ab',
      'name',
      'Größe',
      '\u0000',
      '\n',
      '😀😀',
      "'; DROP TABLE keys; --",
      '%',
      '../..',
      '*',
      '\\',
    ];
    const odd = [
      'x'.repeat(91),
      'x'.repeat(8000),
      '2040-01-01T00:00:00Z',
      '0001-01-01T00:00:00Z',
      '+275760-09-13T00:00:00Z',
    ];
    const bytes = [1, 12, 16, 24, 28, 32, 33, 512, 7500, 7501].map((length) =>
      Buffer.alloc(length, 7).toString('base64'),
    );
    const random = Buffer.from(Array.from({ length: 32 }, () => Math.floor(this.#next() * 256))).toString('base64');
    const words = [
      'dualAuthDelete',
      'rotation',
      'default',
      'policies',
      '10.0.0.0/8',
      '::1',
      'RSAES_OAEP_SHA_256',
      random,
    ];
    return this.oneOf([...fixed, ...odd, ...bytes, ...words, random, random, keys[0] ?? '']);
  }
  queryText(): string {
    const common = ['1', '0', '5', '5000', '5001', '-1', 'true', 'False', '1,2', '1,', 'x', 'name', '-creationDate,id'];
    const filters = [
      'state=1',
      'creationDate=gte:"2020-01-01T00:00:00Z"',
      'expirationDate=none',
      'state=9',
      'a=b',
      '=',
    ];
    const searches = [
      'not:exact:name:foo',
      'alias:',
      'escape:not:',
      'foo,',
      '%',
      '_',
      '\\',
      'crn:v1:*',
      '%zz',
      '%2525',
    ];
    return this.oneOf([...common, ...filters, ...searches, this.text()]);
  }
}

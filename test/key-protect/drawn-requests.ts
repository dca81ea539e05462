import { z } from 'zod';
import type { Operation } from '../../src/dialects/key-protect/operation.js';
import { OPERATIONS } from '../../src/dialects/key-protect/operations.js';

export interface Drawn {
  readonly operation: Operation;
  readonly path: string;
  readonly body: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

/** A token costs a pair of RSA-4096, which takes a unit seconds: few of these requests are sent. */
const COSTLY = { id: 'createImportToken', part: 0.02 };
const RINGS = ['default', 'none', '', 'x'.repeat(101), '%00', "' OR 1=1"];

/** A request to one of the operations: made after its schema, mostly, and on one of the keys, mostly. */
export function drawn(dice: Dice, keys: readonly string[]): Drawn {
  const operation = dice.oneOf(OPERATIONS);
  if (operation.id === COSTLY.id && !dice.chance(COSTLY.part)) return drawn(dice, keys);
  const path = pathOf(operation, dice, keys);
  const body = bodyOf(operation, dice);
  const ring = dice.chance(0.2) ? { 'x-kms-key-ring': dice.oneOf(RINGS) } : {};
  const prefer = dice.chance(0.2) ? { prefer: dice.oneOf(['return=representation', 'return=minimal', 'x']) } : {};
  return { operation, path, body, headers: { ...ring, ...prefer } };
}

interface JsonSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly enum?: readonly unknown[];
}

function pathOf({ path, query }: Operation, dice: Dice, keys: readonly string[]): string {
  const filled = path.replace(/:(\w+)/g, (_whole, name: string) =>
    encodeURIComponent(name === 'id' && dice.chance(0.8) ? dice.oneOf(keys) : dice.text() || 'x'),
  );
  const names = Object.keys((jsonSchemaOf(query).properties ?? {}) as object);
  const given = names.filter(() => dice.chance(0.3)).map((name): [string, string] => [name, dice.queryText()]);
  return given.length === 0 ? filled : `${filled}?${new URLSearchParams(given)}`;
}

function bodyOf({ method, body }: Operation, dice: Dice): string | undefined {
  if (method === 'GET' || method === 'HEAD') return undefined;
  if (dice.chance(0.05)) return dice.oneOf(['', 'null', '{', '[]', '"x"', '{"a":1,"a":2}', '\u0000']);
  const made = valueFor(jsonSchemaOf(body), dice);
  return JSON.stringify(made) ?? '';
}

/** A value after the schema, mostly. */
export function drawnAfter(schema: z.ZodType, dice: Dice): unknown {
  return valueFor(jsonSchemaOf(schema), dice);
}

const known = new Map<z.ZodType, JsonSchema>();

function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  const found = known.get(schema) ?? (z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema);
  known.set(schema, found);
  return found;
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

/** Numbers that can be had again from their seed. */
export class Dice {
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
    return this.oneOf([...fixed, ...odd, ...bytes, ...words, random, random]);
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

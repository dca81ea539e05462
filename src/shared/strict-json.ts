import { type ErrorCode, KeysteadError } from './errors.js';

/**
 * JSON (RFC 8259) that has one reading only, for text that is signed or authenticated. Besides the grammar it refuses
 * (after I-JSON, RFC 7493): duplicate member names, also when spelled with escapes; lone surrogates; numbers beyond the
 * exact integers of a double; the member name __proto__; more than 16 levels; more than 1 MiB. Messages never quote the
 * text, which may hold secrets.
 */
export const MAX_JSON_BYTES = 1 << 20;
export const MAX_JSON_DEPTH = 16;

/** The value of a strict JSON text. `what` names the text in the refusal, which has the given code. */
export function parseStrictJson(text: string | Buffer, what: string, code: ErrorCode): unknown {
  const refuse = (problem: string): never => {
    throw new KeysteadError(code, `${what} is not strict JSON: ${problem}`);
  };
  if (Buffer.byteLength(text) > MAX_JSON_BYTES) refuse(`it is longer than ${MAX_JSON_BYTES} bytes`);
  return new Reader(typeof text === 'string' ? text : decodeUtf8(text, refuse), refuse).read();
}

type Refuse = (problem: string) => never;

function decodeUtf8(bytes: Buffer, refuse: Refuse): string {
  const text = bytes.toString('utf8');
  return Buffer.from(text).equals(bytes) ? text : refuse('it is not UTF-8');
}

const BLANK = /[\t\n\r ]*/y;
const STRING = /"[ !#-[\]-\uffff]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[ !#-[\]-\uffff]*)*"/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const WORD = /true|false|null/y;
const LONE_SURROGATE = /\p{Surrogate}/u;

class Reader {
  #at = 0;

  constructor(
    private readonly text: string,
    private readonly refuse: Refuse,
  ) {}

  read(): unknown {
    const value = this.#value(0);
    if (this.#at !== this.text.length) this.#fail('text follows the value');
    return value;
  }

  #value(depth: number): unknown {
    if (depth > MAX_JSON_DEPTH) this.#fail(`it is nested deeper than ${MAX_JSON_DEPTH} levels`);
    this.#take(BLANK);
    const value = this.#bareValue(depth);
    this.#take(BLANK);
    return value;
  }

  #bareValue(depth: number): unknown {
    switch (this.text[this.#at]) {
      case '{':
        return this.#object(depth);
      case '[':
        return this.#array(depth);
      case '"':
        return this.#string();
      default:
        return this.#scalar();
    }
  }

  #object(depth: number): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    this.#at += 1;
    this.#take(BLANK);
    if (this.#skip('}')) return object;
    do {
      this.#take(BLANK);
      const name = this.#string();
      if (name === '__proto__') this.#fail('a member is named __proto__');
      if (Object.hasOwn(object, name)) this.#fail('a member name occurs twice');
      this.#take(BLANK);
      this.#need(':');
      object[name] = this.#value(depth + 1);
    } while (this.#skip(','));
    this.#need('}');
    return object;
  }

  #array(depth: number): unknown[] {
    const items: unknown[] = [];
    this.#at += 1;
    this.#take(BLANK);
    if (this.#skip(']')) return items;
    do items.push(this.#value(depth + 1));
    while (this.#skip(','));
    this.#need(']');
    return items;
  }

  #string(): string {
    const quoted = this.#take(STRING) ?? this.#fail('a string was expected');
    const value = JSON.parse(quoted) as string;
    return LONE_SURROGATE.test(value) ? this.#fail('a string has a lone surrogate') : value;
  }

  #scalar(): unknown {
    const word = this.#take(WORD);
    if (word !== undefined) return JSON.parse(word);
    const value = Number(this.#take(NUMBER) ?? this.#fail('a value was expected'));
    return Math.abs(value) <= Number.MAX_SAFE_INTEGER ? value : this.#fail('a number is too large to be exact');
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #skip(character: string): boolean {
    if (this.text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #need(character: string): void {
    if (!this.#skip(character)) this.#fail(`'${character}' was expected`);
  }

  #fail(problem: string): never {
    return this.refuse(`${problem} (at character ${this.#at})`);
  }
}

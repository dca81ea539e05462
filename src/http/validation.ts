import { type ArgumentMetadata, Injectable, type PipeTransform } from '@nestjs/common';
import { KeysteadError } from '../shared/errors.js';
import { parseStrictJson } from '../shared/strict-json.js';

type Schema = NonNullable<ArgumentMetadata['schema']>;

/** As Standard Schema has it. */
interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/**
 * Checks what a route reads against its zod schema: `@Body({ schema })`, `@Query({ schema })`, `@Param('id', { schema })`.
 * Answers what the schema makes of it; a body is strict JSON, and undefined when it is empty. BAD_REQUEST names the field.
 * Without a schema a body comes as its bytes.
 */
@Injectable()
export class SchemaPipe implements PipeTransform {
  transform(value: unknown, metadata: ArgumentMetadata): unknown {
    return metadata.schema === undefined ? value : this.#checked(value, metadata, metadata.schema);
  }

  async #checked(value: unknown, metadata: ArgumentMetadata, schema: Schema): Promise<unknown> {
    const read = Buffer.isBuffer(value) ? jsonIn(value) : value;
    const checked = await schema['~standard'].validate(read);
    if (checked.issues === undefined) return checked.value;
    const whole = metadata.data ?? (metadata.type === 'body' ? 'the body' : `the ${metadata.type}`);
    throw new KeysteadError('BAD_REQUEST', checked.issues.map((issue) => sentenceOf(issue, whole)).join('; '));
  }
}

function jsonIn(body: Buffer): unknown {
  return body.length === 0 ? undefined : parseStrictJson(body, 'the body', 'BAD_REQUEST');
}

function sentenceOf({ message, path = [] }: Issue, whole: string): string {
  const field = path.map((item) => String(typeof item === 'object' ? item.key : item)).join('.');
  return `${field || whole}: ${message}`;
}

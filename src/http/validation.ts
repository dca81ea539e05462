import { StandardSchemaValidationPipe } from '@nestjs/common';
import { KeysteadError } from '../shared/errors.js';

type PathItem = PropertyKey | { readonly key: PropertyKey };

interface Issue {
  readonly message: string;
  readonly path?: readonly PathItem[] | undefined;
}

/** Checks what a route reads against its zod schema: `@Body({ schema })`, `@Query({ schema })`, `@Param('id', { schema })`. BAD_REQUEST names the field. */
export function validationPipe(): StandardSchemaValidationPipe {
  return new StandardSchemaValidationPipe({
    exceptionFactory: (issues: readonly Issue[]) => new KeysteadError('BAD_REQUEST', issues.map(sentenceOf).join('; ')),
  });
}

function sentenceOf({ message, path = [] }: Issue): string {
  const field = path.map((item) => String(typeof item === 'object' ? item.key : item)).join('.');
  return field === '' ? message : `${field}: ${message}`;
}

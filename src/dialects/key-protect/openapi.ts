import { readFileSync } from 'node:fs';
import { z } from 'zod';
import * as keySchemas from './key.schemas.js';
import type { Operation } from './operation.js';
import { OPERATIONS } from './operations.js';
import * as otherSchemas from './other.schemas.js';
import * as policySchemas from './policy.schemas.js';
import { ErrorBody } from './wire.js';

const PARAMETERS = {
  id: 'Id or alias of the key',
  alias: 'The alias: 2 to 90 of A-Z a-z 0-9 _ -',
  ring: 'Id of the key ring: 2 to 100 of A-Z a-z 0-9 _ -',
} as const;
const HEADERS = {
  Instance: header('Bluemix-Instance', 'Id of the instance', true, { type: 'string', format: 'uuid' }),
  KeyRing: header('X-Kms-Key-Ring', 'Key ring of the key; a new key goes there', false, { type: 'string' }),
  CorrelationId: header('Correlation-Id', 'Id of the request, given back in the answer', false, { type: 'string' }),
  Prefer: header('Prefer', 'return=representation or return=minimal', false, { type: 'string' }),
};
const EVERY_HEADER = Object.keys(HEADERS).map((name) => ({ $ref: `#/components/parameters/${name}` }));

/** Schemas that the document names, by the names they have in the code. */
const NAMED = new Map<unknown, string>(
  [keySchemas, otherSchemas, policySchemas, { ErrorBody }]
    .flatMap((group) => Object.entries<unknown>(group))
    .map(([name, schema]) => [schema, name]),
);

/** OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1) of the dialect, made from the schemas that check its requests. */
export function openApiDocument(): object {
  const paths: Record<string, Record<string, object>> = {};
  const schemas: Schemas = { ErrorBody: schemaOf(ErrorBody, 'output') };
  for (const operation of OPERATIONS) {
    const path = operation.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [operation.method.toLowerCase()]: described(operation, schemas) };
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Keystead: IBM Key Protect API v2',
      version: versionOfPackage(),
      description: 'Key management over crypto units, for the clients of IBM Key Protect.',
    },
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'An API key, or an access token from /identity/token' },
      },
      parameters: HEADERS,
      schemas,
    },
  };
}

type Schemas = Record<string, object>;

function described(operation: Operation, schemas: Schemas): object {
  const names = [...operation.path.matchAll(/:(\w+)/g)].map(([, name]) => name as keyof typeof PARAMETERS);
  const query = schemaOf(operation.query, 'input') as { properties?: Record<string, { description?: string }> };
  const inQuery = Object.entries(query.properties ?? {}).map(([name, { description, ...schema }]) => ({
    name,
    in: 'query',
    ...(description !== undefined && { description }),
    schema,
  }));
  const inPath = names.map((name) => ({
    name,
    in: 'path',
    required: true,
    description: PARAMETERS[name],
    schema: { type: 'string' },
  }));
  const hasBody = Object.keys(schemaOf(operation.body, 'input')).length > 0;
  return {
    operationId: operation.id,
    summary: operation.summary,
    parameters: [...inPath, ...inQuery, ...EVERY_HEADER],
    ...(hasBody && {
      requestBody: {
        required: !operation.body.safeParse(undefined).success,
        content: json(named(operation.body, 'input', schemas)),
      },
    }),
    responses: {
      ...Object.fromEntries([...operation.answers].map((answer) => answered(answer, schemas))),
      default: REFUSAL,
    },
  };
}

/** A reference to the schema, which is put among the named ones; the schema itself when it has no name. */
function named(schema: z.ZodType, io: 'input' | 'output', schemas: Schemas): object {
  const name = NAMED.get(schema);
  if (name === undefined) return schemaOf(schema, io);
  schemas[name] ??= schemaOf(schema, io);
  return { $ref: `#/components/schemas/${name}` };
}

const REFUSAL = {
  description: 'A refusal; the reason code stands in errorMsg and in reasons, except in a 401',
  content: json({ $ref: '#/components/schemas/ErrorBody' }),
};

function answered([status, body]: readonly [number, z.ZodType | null], schemas: Schemas): [string, object] {
  const content = body === null ? {} : { content: json(named(body, 'output', schemas)) };
  return [String(status), { description: body === null ? 'Done; no body' : 'Done', ...content }];
}

function json(schema: object): object {
  return { 'application/json': { schema } };
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}

function header(name: string, description: string, required: boolean, schema: object): object {
  return { name, in: 'header', required, description, schema };
}

function versionOfPackage(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** The operations as a page without scripts, for people. */
export function openApiPage(): string {
  const rows = OPERATIONS.map(
    ({ method, path, summary }) => `<tr><td>${method}</td><td><code>${path}</code></td><td>${summary}</td></tr>`,
  );
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Keystead: IBM Key Protect API v2</title>
<style>body{font:16px system-ui;margin:2rem}td{padding:.2rem 1rem .2rem 0}</style></head>
<body><h1>Keystead: IBM Key Protect API v2</h1>
<p>The whole description is <a href="/docs/openapi.json">OpenAPI 3.1</a>.</p>
<table>${rows.join('\n')}</table></body></html>
`;
}

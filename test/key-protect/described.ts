import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly text: string;
}

interface Described {
  readonly content?: Readonly<Record<string, { readonly schema: object }>>;
}

interface Operation {
  readonly responses: Readonly<Record<string, Described>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: object;
}

const FILE = fileURLToPath(new URL('../../docs/openapi.json', import.meta.url));
const validators = new Map<object, ValidateFunction>();
let document: Document | undefined;

/** What the answer breaks of the API's OpenAPI document (docs/openapi.json): sentences, empty when nothing. */
export function violationsOf({ method, path, status, text }: Exchange): string[] {
  const { pathname, searchParams } = new URL(path, 'http://server');
  if (!pathname.startsWith('/api/v2')) return [];
  const say = (problem: string) => [`${method} ${path} → ${status}: ${problem}: ${text.slice(0, 300)}`];
  const operation = operationAt(method, routed(pathname, searchParams.get('action')));
  if (operation === undefined && status < 400) return say('no such operation is described');
  const described = status < 400 ? operation?.responses[status] : REFUSAL;
  if (described === undefined) return say('the status is not described');
  if (method === 'HEAD') return text === '' ? [] : say('a body in the answer to HEAD');
  const schema = described.content?.['application/json']?.schema;
  if (schema === undefined) return text === '' ? [] : say('a body where none is described');
  const valid = validator(schema);
  return valid(parsed(text)) ? [] : say(JSON.stringify(valid.errors));
}

/** The same everywhere, also where no operation is. */
const REFUSAL: Described = {
  content: { 'application/json': { schema: { $ref: '#/components/schemas/ErrorBody' } } },
};

function routed(pathname: string, action: string | null): string {
  if (action === null) return pathname;
  return action === 'restore' ? `${pathname}/restore` : `${pathname}/actions/${action}`;
}

function operationAt(method: string, pathname: string): Operation | undefined {
  const fits = Object.entries(theDocument().paths).filter(([path, operations]) => {
    const pattern = path.replace(/\{\w+\}/g, '[^/]+');
    return method.toLowerCase() in operations && new RegExp(`^${pattern}$`).test(pathname);
  });
  const [, operations] = fits.find(([path]) => !path.includes('{')) ?? fits[0] ?? [];
  return operations?.[method.toLowerCase()];
}

function theDocument(): Document {
  document ??= JSON.parse(readFileSync(FILE, 'utf8')) as Document;
  return document;
}

function validator(schema: object): ValidateFunction {
  const known = validators.get(schema);
  if (known) return known;
  const ajv = new Ajv2020({ strict: false, validateFormats: false }); // what a format means stands in a pattern beside it
  const made = ajv.compile({ ...schema, components: theDocument().components });
  validators.set(schema, made);
  return made;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the schema then says so
  }
}

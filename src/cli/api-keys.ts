import { type Command, InvalidArgumentError } from 'commander';
import { KeysteadError, messageOf } from '../shared/errors.js';
import { ROLES, type Role } from '../shared/permissions.js';
import { Api } from './api.js';
import type { ApiKey, Grant } from './api-shapes.js';
import { type CliContext, CommandFailure, printResult } from './context.js';
import { assertCreatable, createPrivate } from './files.js';
import { type CommonOptions, group, leaf, listOption, splitList, toKeyRing, toMoment, toUuid } from './options.js';
import { table } from './table.js';
import { openInstance } from './target.js';

interface CreateOptions extends CommonOptions {
  readonly role: readonly string[];
  readonly scope?: readonly Omit<Grant, 'role'>[];
  readonly expires?: string;
  readonly file?: string;
}

export function addApiKeys(program: Command, ctx: CliContext): void {
  const apiKey = group(
    program,
    'api-key',
    'Create, list and revoke the API keys of people and services',
    'kp api-key create backup-service --role Writer',
  );
  leaf(
    apiKey,
    'create',
    'Create an API key; it is shown this once, or put into a file',
    'kp api-key create backup-service --role Writer --file backup-service.apikey',
    'kp api-key create auditor --role Reader --scope key-ring=backups',
  )
    .argument('<name>', 'who it is for')
    .addOption(
      listOption('--role <role>', `${ROLES.join(', ')}; repeated or with commas`, toRole).makeOptionMandatory(),
    )
    .option(
      '--scope <scope>',
      'only there: instance=ID,key-ring=RING,key=ID; may be repeated; else everywhere',
      (text: string, before: readonly Omit<Grant, 'role'>[] = []) => [...before, toScope(text)],
    )
    .option('--expires <date>', 'when it ends, as 2031-12-31T23:59:59Z', toMoment)
    .option('--file <file>', 'put it into this new file (0600) and do not show it')
    .action((name: string, options: CreateOptions) => create(ctx, name, options));

  leaf(apiKey, 'list', 'List the API keys, revoked ones too', 'kp api-key list').action(() => list(ctx));

  leaf(
    apiKey,
    'revoke',
    'End an API key, and the tokens made from it, at once',
    'kp api-key revoke 6e0aead3-9d44-4c92-a4c4-f7a1ab415420',
  )
    .argument('<id>', 'the API key, as kp api-key list shows it', toUuid)
    .action((id: string) => revoke(ctx, id));
}

export function toRole(text: string): Role {
  const role = ROLES.find((one) => one.toLowerCase() === text.toLowerCase());
  if (role) return role;
  throw new InvalidArgumentError(`A role is one of ${ROLES.join(', ')}.`);
}

const PLACES: Readonly<Record<string, readonly [keyof Omit<Grant, 'role'>, (text: string) => string]>> = {
  instance: ['instanceId', toUuid],
  'key-ring': ['keyRingId', toKeyRing],
  key: ['keyId', toUuid],
};

/** `instance=ID,key-ring=RING,key=ID` */
export function toScope(text: string): Omit<Grant, 'role'> {
  const parts = splitList(text).map((part) => {
    const [place = '', value = ''] = part.split('=', 2);
    const known = Object.hasOwn(PLACES, place) ? PLACES[place] : undefined;
    if (known) return [known[0], known[1](value)] as const;
    throw new InvalidArgumentError('A scope looks like instance=ID,key-ring=RING,key=ID, with what is needed of it.');
  });
  if (parts.length > 0 && new Set(parts.map(([member]) => member)).size === parts.length)
    return Object.fromEntries(parts);
  throw new InvalidArgumentError('A scope names an instance, a key ring or a key, each once.');
}

async function create(ctx: CliContext, name: string, options: CreateOptions): Promise<void> {
  const { role, scope, expires, file } = options;
  if (file !== undefined) await assertCreatable(file);
  // a key ring and a key are of one instance: that of the command, unless the scope names it
  const needed = scope?.some(({ instanceId }) => !instanceId) === true;
  const api = await (needed ? openInstance(ctx, options) : Api.open(ctx));
  const here = needed ? { instanceId: api.instanceId } : {};
  const grants = scope?.flatMap((where) => role.map((one) => ({ role: one, ...here, ...where })));
  const { apiKey, ...made } = await api.createApiKey({
    name,
    ...(grants ? { scopes: grants } : { roles: role }),
    ...(expires !== undefined && { expiresAt: expires }),
  });
  if (file === undefined) {
    printResult(
      ctx,
      { ...made, apiKey },
      () => `OK\nAPI key ${name} has the id ${made.id}. It is shown this once:\n${apiKey}`,
    );
    return;
  }
  await keep(file, apiKey, () => api.revokeApiKey(made.id));
  printResult(ctx, { ...made, file }, () => `OK\nAPI key ${name} has the id ${made.id}. It is in ${file}.`);
}

/** Writes a key into a new private file, or revokes it: a key that nobody has must not stay good. */
export async function keep(file: string, text: string, revoke: () => Promise<unknown>): Promise<void> {
  try {
    await createPrivate(file, `${text}\n`);
  } catch (cause) {
    await revoke();
    const code = cause instanceof KeysteadError ? cause.code : 'FILE_INVALID';
    throw new CommandFailure(code, `${messageOf(cause)}; the key is revoked again`, undefined, { cause });
  }
}

async function list(ctx: CliContext): Promise<void> {
  const keys = await (await Api.open(ctx)).apiKeys();
  printResult(ctx, keys, () =>
    table(
      ['ID', 'Name', 'Roles', 'Created', 'Expires', 'Revoked'],
      keys.map((key) => [key.id, key.name, grantsOf(key), key.createdAt, key.expiresAt ?? '', key.revokedAt ?? '']),
    ),
  );
}

/** `Reader, Writer@key-ring=backups`. */
export function grantsOf({ roles, scopes }: Pick<ApiKey, 'roles' | 'scopes'>): string {
  const scoped = scopes.map(({ role, ...where }) => {
    const places = Object.entries(PLACES).flatMap(([place, [member]]) =>
      where[member] ? [`${place}=${where[member]}`] : [],
    );
    return places.length === 0 ? role : `${role}@${places.join(',')}`;
  });
  return [...roles, ...scoped].join(', ');
}

async function revoke(ctx: CliContext, id: string): Promise<void> {
  const key = await (await Api.open(ctx)).revokeApiKey(id);
  printResult(ctx, key ?? { id }, () => 'OK');
}

import { type Command, InvalidArgumentError, Option } from 'commander';
import { ROLES, type Role } from '../shared/permissions.js';
import { Api } from './api.js';
import { grantsOf, keep, toRole, toScope } from './api-keys.js';
import type { Grant, MadeAccessKey } from './api-shapes.js';
import { type CliContext, printResult, usage } from './context.js';
import { assertCreatable } from './files.js';
import { type CommonOptions, group, leaf, listOption, toMoment } from './options.js';
import { table } from './table.js';
import { openInstance } from './target.js';

const DIALECTS = ['alibaba', 'huawei'];

interface CreateOptions extends CommonOptions {
  readonly dialect: string;
  readonly name: string;
  readonly role?: readonly (Role | 'none')[];
  readonly scope?: readonly Omit<Grant, 'role'>[];
  readonly expires?: string;
  readonly file?: string;
}

export function addAccessKeys(program: Command, ctx: CliContext): void {
  const accessKey = group(
    program,
    'access-key',
    'Create, list and revoke the access keys with which clients of other services sign',
    'kp access-key create --dialect alibaba',
  );
  leaf(
    accessKey,
    'create',
    'Create an access key of an instance; its secret is shown this once, or put into a file',
    'kp access-key create --dialect alibaba -o json',
    'kp access-key create --dialect huawei --role Reader --name backups --file backups.json',
  )
    .addOption(new Option('--dialect <dialect>', 'whose clients use it').choices(DIALECTS).makeOptionMandatory())
    .option('--name <name>', 'who it is for', 'client')
    .addOption(
      listOption(
        '--role <role>',
        `${ROLES.join(', ')}, in the instance; none: what grants allow; else Manager`,
        toRoleOrNone,
      ),
    )
    .option(
      '--scope <scope>',
      'the roles hold only there: key-ring=RING,key=ID; may be repeated',
      (text: string, before: readonly Omit<Grant, 'role'>[] = []) => [...before, toScopeHere(text)],
    )
    .option('--expires <date>', 'when it ends, as 2031-12-31T23:59:59Z', toMoment)
    .option('--file <file>', 'put it into this new file (0600), as JSON, and do not show it')
    .action((options: CreateOptions) => create(ctx, options));

  leaf(accessKey, 'list', 'List the access keys, revoked ones too', 'kp access-key list').action(() => list(ctx));

  leaf(accessKey, 'revoke', 'End an access key at once', 'kp access-key revoke LTAIzW8bQ4kT2nX5cR7mV1pJ')
    .argument('<id>', 'the access key, as kp access-key list shows it')
    .action((id: string) => revoke(ctx, id));
}

function toRoleOrNone(text: string): Role | 'none' {
  return text.toLowerCase() === 'none' ? 'none' : toRole(text);
}

/** An access key is of one instance already. */
function toScopeHere(text: string): Omit<Grant, 'role'> {
  const scope = toScope(text);
  if (!scope.instanceId) return scope;
  throw new InvalidArgumentError('An access key is of the instance of -i; a scope names a key ring or a key of it.');
}

async function create(ctx: CliContext, options: CreateOptions): Promise<void> {
  const { dialect, name, scope, expires, file } = options;
  if (file !== undefined) await assertCreatable(file);
  const roles = rolesOf(options);
  if (scope !== undefined && roles === undefined) throw usage('--scope needs --role: which role holds there');
  const api = await openInstance(ctx, options);
  const grants = scope?.flatMap((where) => (roles ?? []).map((role) => ({ role, ...where })));
  const made = await api.createAccessKey({
    dialect,
    instanceId: api.instanceId,
    name,
    ...(grants ? { scopes: grants } : roles && { roles }),
    ...(expires !== undefined && { expiresAt: expires }),
  });
  const credentials = credentialsOf(made);
  if (file === undefined) {
    const lines = Object.entries(credentials).map(([member, value]) => `${member}: ${value}`);
    printResult(ctx, credentials, () => ['OK', 'The secret is shown this once:', ...lines].join('\n'));
    return;
  }
  await keep(file, JSON.stringify(credentials), () => api.revokeAccessKey(made.accessKeyId));
  printResult(
    ctx,
    { access_key_id: made.accessKeyId, file },
    () => `OK\nAccess key ${made.accessKeyId} is in ${file}.`,
  );
}

/** undefined: as the server says, Manager. */
function rolesOf({ role }: CreateOptions): readonly Role[] | undefined {
  if (role === undefined) return undefined;
  const named = role.filter((one) => one !== 'none');
  if (named.length > 0 && named.length < role.length) throw usage('--role none stands alone');
  return named;
}

/** In the words of those who use them. */
function credentialsOf({ accessKeyId, accessKeySecret, projectId }: Made): Record<string, string> {
  return {
    access_key_id: accessKeyId,
    access_key_secret: accessKeySecret,
    ...(projectId !== undefined && { project_id: projectId }),
  };
}

type Made = (typeof MadeAccessKey)['_output'];

async function list(ctx: CliContext): Promise<void> {
  const keys = await (await Api.open(ctx)).accessKeys();
  printResult(ctx, keys, () =>
    table(
      ['ID', 'Dialect', 'Instance', 'Name', 'Roles', 'Created', 'Expires', 'Revoked'],
      keys.map((key) => [
        ...[key.accessKeyId, key.dialect, key.instanceId, key.name, grantsOf(key)],
        ...[key.createdAt, key.expiresAt ?? '', key.revokedAt ?? ''],
      ]),
    ),
  );
}

async function revoke(ctx: CliContext, id: string): Promise<void> {
  const key = await (await Api.open(ctx)).revokeAccessKey(id);
  printResult(ctx, key, () => 'OK');
}

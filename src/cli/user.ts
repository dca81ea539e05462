import type { Command } from 'commander';
import { UserName } from '../admins/command-args.js';
import { readAdminKey } from '../admins/public-key.js';
import { needs } from '../shared/errors.js';
import { readUnits } from './auth.js';
import { printableCredential, readCredential } from './claim.js';
import { type CliContext, notice, printResult, usage } from './context.js';
import { KnownUnits } from './known-units.js';
import { type CommonOptions, fileOption, group, leaf, oneFile, type SignedOptions, signed } from './options.js';
import { execute } from './signed-operation.js';
import { printExecuted } from './signed-report.js';
import { beginSigning } from './signing.js';
import { table } from './table.js';
import { openInstance, pickUnits } from './target.js';
import { readUnit } from './unit-key.js';

const EXAMPLE_AUTH = `--auth '[{"ADMIN":"admin.key#env:ADMIN_PASS"}]'`;

interface AddOptions extends SignedOptions {
  readonly type: string;
  readonly name?: string;
  readonly file?: string;
  readonly credential?: string;
}

export function addUser(cryptoUnit: Command, ctx: CliContext): void {
  const user = group(cryptoUnit, 'user', 'Add and remove users of the crypto units');
  const add = signed(
    leaf(
      user,
      'add',
      'Add an administrator, or the kmsCryptoUser that lets the key service use the crypto units',
      `kp crypto-unit user add --type kmsCryptoUser ${EXAMPLE_AUTH}`,
      `kp crypto-unit user add --type admin --name bob --credential bob.key ${EXAMPLE_AUTH}`,
    ),
  )
    .requiredOption('--type <type>', 'admin or kmsCryptoUser')
    .option('--name <name>', 'name of the administrator, 1 to 255 characters; not for kmsCryptoUser');
  fileOption(add, 'credential', 'file', 'signature key file of the administrator; not for kmsCryptoUser').action(
    (options: AddOptions) => addOne(ctx, options),
  );

  signed(
    leaf(
      user,
      'remove',
      'Remove a user; the last administrator stays',
      `kp crypto-unit user remove -u bob ${EXAMPLE_AUTH}`,
    ),
  )
    .requiredOption('-u, --user <name>', 'name of the user, as kp crypto-unit users shows it')
    .action((options: SignedOptions & { user: string }) => removeOne(ctx, options));

  leaf(
    cryptoUnit,
    'users',
    'List the users of the crypto units, as the units themselves sign it',
    'kp crypto-unit users',
  )
    .option('--cu <json>', `only these crypto units: '[{"CryptoUnitId":"ID"}]', or @FILE`)
    .action((options: CommonOptions & { cu?: string }) => list(ctx, options));
}

async function addOne(ctx: CliContext, options: AddOptions): Promise<void> {
  const { type, name, file, credential } = options;
  const words = ['kp', 'crypto-unit', 'user', 'add'];
  if (type === 'kmsCryptoUser') {
    const given = name ?? file ?? credential;
    if (given !== undefined)
      throw usage('--name and --credential are for --type admin; the kmsCryptoUser comes from the server');
    const signing = await beginSigning(ctx, { options, words, flags: { '--type': type } });
    const user = await signing.api.cryptoUser();
    const { kid } = readAdminKey(user.public_key);
    needs(
      kid === user.fingerprint,
      'RECEIPT_INVALID',
      'the kmsCryptoUser that the server shows does not have the fingerprint beside it',
    );
    if (!ctx.json) ctx.out(`The kmsCryptoUser is ${user.user_name}, fingerprint ${kid}.`);
    const { ready, failed } = await signing.prepare('user.add');
    const args = { type, name: user.user_name, publicKey: user.public_key };
    const executed = await execute(ctx, signing.api, ready, 'user.add', () => args);
    return printExecuted(ctx, 'Add User', signing, failed, executed, {
      user: { type, name: user.user_name, fingerprint: kid },
    });
  }
  if (type !== 'admin') throw usage(`--type must be admin or kmsCryptoUser, not ${type}`);
  if (name === undefined || !UserName.safeParse(name).success)
    throw usage('--type admin needs --name with 1 to 255 characters');
  const path = oneFile(options, 'credential');
  const certificate = await readCredential(ctx, path);
  const { kid } = readAdminKey(certificate);
  const flags = { '--type': type, '--name': name, '--credential': await printableCredential(path) };
  const signing = await beginSigning(ctx, { options, words, flags });
  const { ready, failed } = await signing.prepare('user.add');
  const executed = await execute(ctx, signing.api, ready, 'user.add', () => ({ type, name, certificate }));
  printExecuted(ctx, 'Add User', signing, failed, executed, { user: { type, name, fingerprint: kid } });
}

async function removeOne(ctx: CliContext, options: SignedOptions & { user: string }): Promise<void> {
  const name = options.user;
  if (!UserName.safeParse(name).success) throw usage('--user must have 1 to 255 characters');
  const signing = await beginSigning(ctx, {
    options,
    words: ['kp', 'crypto-unit', 'user', 'remove'],
    flags: { '-u': name },
  });
  const { ready, failed } = await signing.prepare('user.remove');
  const executed = await execute(ctx, signing.api, ready, 'user.remove', () => ({ name }));
  printExecuted(ctx, 'Remove User', signing, failed, executed, { user: { name } });
}

/** IBM's native columns, and the fingerprint that tells one key from another. */
const COLUMNS = ['Name', 'Permission', 'Mechanism', 'Attributes', 'Fingerprint'];
const ADMIN = { type: 'admin', permission: '22000000', attributes: 'Z[0]' };
const KMS_USER = { type: 'kmsCryptoUser', permission: '00000002', attributes: 'I[0]' };

async function list(ctx: CliContext, options: CommonOptions & { cu?: string }): Promise<void> {
  const only = options.cu === undefined ? null : (await readUnits(options.cu)).map(({ id }) => id);
  const api = await openInstance(ctx, options);
  const known = new KnownUnits(ctx);
  const units = [];
  for (const unit of pickUnits(await api.units(), only)) {
    if (unit.state === 'reserved') {
      notice(ctx, `CryptoUnit ${unit.id} is reserved: nobody has claimed it, so it has no users.`);
      units.push({ unit: unit.id, receiptKeyKnown: false, users: [] });
      continue;
    }
    const { record, pinned } = await readUnit(ctx, api, unit, known);
    const users = [
      ...record.admins.map(({ name, kid }) => ({ name, ...ADMIN, fingerprint: kid })),
      ...(record.kmsUser ? [{ name: record.kmsUser.name, ...KMS_USER, fingerprint: record.kmsUser.kid }] : []),
    ];
    units.push({ unit: unit.id, receiptKeyKnown: pinned, users });
  }
  printResult(ctx, units, () =>
    units
      .map(({ unit, users }) => {
        const rows = users.map((one) => [one.name, one.permission, 'RSA sign', one.attributes, one.fingerprint]);
        return `CryptoUnit ${unit}\n${table(COLUMNS, rows)}`;
      })
      .join('\n\n'),
  );
}

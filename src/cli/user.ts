import type { Command } from 'commander';
import { UserName } from '../admins/command-args.js';
import { readAdminKey } from '../admins/public-key.js';
import { needs } from '../shared/errors.js';
import type { RecordFacts } from '../unit-agent/protocol.js';
import { carryOut } from './carry-out.js';
import { printableCredential, readCredential } from './claim.js';
import { type CliContext, notice, printResult, usage } from './context.js';
import { expirySentences } from './expiry.js';
import { fileOption, group, leaf, oneFile, type SignedOptions, signed } from './options.js';
import { assertAllRead, type ReadingOptions, readingJson, readRecords } from './readings.js';
import { beginSigning } from './signing.js';
import { table } from './table.js';

const EXAMPLE_AUTH = `--auth '[{"ADMIN":"admin.key#env:ADMIN_PASS"}]'`;

interface AddOptions extends SignedOptions {
  readonly type: string;
  readonly name?: string;
  readonly file?: string;
  readonly credential?: string;
}

export function addUser(cryptoUnit: Command, ctx: CliContext): void {
  const user = group(
    cryptoUnit,
    'user',
    'Add and remove users of the crypto units',
    `kp crypto-unit user add --type kmsCryptoUser ${EXAMPLE_AUTH}`,
  );
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
    .action((options: ReadingOptions) => list(ctx, options));
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
    const args = { type, name: user.user_name, publicKey: user.public_key };
    return carryOut(ctx, signing, 'user.add', args, { user: { type, name: user.user_name, fingerprint: kid } });
  }
  if (type !== 'admin') throw usage(`--type must be admin or kmsCryptoUser, not ${type}`);
  if (name === undefined || !UserName.safeParse(name).success)
    throw usage('--type admin needs --name with 1 to 255 characters');
  const path = oneFile(options, 'credential');
  const certificate = await readCredential(ctx, path);
  const { kid } = readAdminKey(certificate);
  const flags = { '--type': type, '--name': name, '--credential': await printableCredential(path) };
  const signing = await beginSigning(ctx, { options, words, flags });
  await carryOut(ctx, signing, 'user.add', { type, name, certificate }, { user: { type, name, fingerprint: kid } });
}

async function removeOne(ctx: CliContext, options: SignedOptions & { user: string }): Promise<void> {
  const name = options.user;
  if (!UserName.safeParse(name).success) throw usage('--user must have 1 to 255 characters');
  const signing = await beginSigning(ctx, {
    options,
    words: ['kp', 'crypto-unit', 'user', 'remove'],
    flags: { '-u': name },
  });
  await carryOut(ctx, signing, 'user.remove', { name }, { user: { name } });
}

/** IBM's native columns, and the fingerprint that tells one key from another. */
const HEADINGS = ['Name', 'Permission', 'Mechanism', 'Attributes', 'Fingerprint'];
const COLUMNS = ['name', 'permission', 'mechanism', 'attributes', 'fingerprint'] as const;
const ADMIN = { type: 'admin', permission: '22000000', mechanism: 'RSA sign', attributes: 'Z[0]' };
const KMS_USER = { type: 'kmsCryptoUser', permission: '00000002', mechanism: 'RSA sign', attributes: 'I[0]' };

async function list(ctx: CliContext, options: ReadingOptions): Promise<void> {
  const readings = await readRecords(ctx, options);
  const units = readings.map((reading) => ({
    ...readingJson(reading),
    threshold: reading.record?.threshold ?? null,
    users: usersIn(reading.record),
  }));
  printResult(ctx, units, () =>
    readings
      .map(({ unit, record }) => {
        const rows = usersIn(record).map((one) => COLUMNS.map((column) => one[column]));
        return [`CryptoUnit ${unit}`, table(HEADINGS, rows), ...quorumLines(record)].join('\n');
      })
      .join('\n\n'),
  );
  const admins = readings.flatMap(({ record }) => record?.admins ?? []);
  for (const sentence of expirySentences(admins, ctx.now())) notice(ctx, sentence);
  for (const { unit, state } of readings) {
    if (state === 'reserved') notice(ctx, `CryptoUnit ${unit} is reserved: nobody has claimed it, so it has no users.`);
  }
  assertAllRead(readings);
}

/** How many must sign, and until when the certificates go, where there are any. */
function quorumLines(record: RecordFacts | null): string[] {
  if (!record) return [];
  const ends = record.admins.flatMap(({ name, notAfter }) => (notAfter ? [`${name} ${notAfter.slice(0, 10)}`] : []));
  return [
    `Signatures needed for a command: ${record.threshold}`,
    ...(ends.length > 0 ? [`Certificates end: ${ends.join(', ')}`] : []),
  ];
}

function usersIn(record: RecordFacts | null) {
  if (!record) return [];
  return [
    ...record.admins.map(({ name, kid, notAfter = null }) => ({ name, ...ADMIN, fingerprint: kid, expires: notAfter })),
    ...(record.kmsUser
      ? [{ name: record.kmsUser.name, ...KMS_USER, fingerprint: record.kmsUser.kid, expires: null }]
      : []),
  ];
}

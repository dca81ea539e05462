import { type Command, Option } from 'commander';
import { type CliContext, printResult } from './context.js';
import { KeyProtect } from './key-protect.js';
import { type KeyRingOptions, keyRingOption, leaf, toKey } from './options.js';
import { table } from './table.js';

interface RegistrationOptions extends KeyRingOptions {
  readonly keyId?: string;
  readonly crnQuery?: string;
}

export function addRegistrations(program: Command, ctx: CliContext): void {
  leaf(
    program,
    'registrations',
    'List the resources that root keys protect',
    'kp registrations -k payments',
    "kp registrations -c 'crn:v1:bluemix:public:cloud-object-storage:*:*:*:bucket:*' -o json",
  )
    .addOption(new Option('-k, --key-id <key>', 'only of this key, by id or alias').argParser(toKey))
    .option('-c, --crn-query <crn>', 'only resources with this CRN; * stands for any segment')
    .addOption(keyRingOption('-r, --key-ring <ring>'))
    .action((options: RegistrationOptions) => list(ctx, options));
}

async function list(ctx: CliContext, options: RegistrationOptions): Promise<void> {
  const found = await (await KeyProtect.open(ctx, options)).registrations(options.keyId, options.crnQuery);
  printResult(ctx, found, () =>
    table(
      ['Key ID', 'Resource CRN', 'Prevents Deletion', 'Creation Date'],
      found.map(({ keyId, resourceCrn, preventKeyDeletion, creationDate }) => [
        keyId,
        resourceCrn,
        preventKeyDeletion ? 'yes' : 'no',
        creationDate ?? '',
      ]),
    ),
  );
}

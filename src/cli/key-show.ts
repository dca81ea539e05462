import { type Command, InvalidArgumentError, Option } from 'commander';
import { type CliContext, notice, printResult } from './context.js';
import { KeyProtect } from './key-protect.js';
import type { Key } from './key-shapes.js';
import { type KeyRingOptions, keyLeaf, keyRingOption, leaf, splitList, toNumber } from './options.js';
import { listing, table } from './table.js';

/** The states of a key, by IBM's numbers. 4 is not used. */
const STATES: ReadonlyMap<string, number> = new Map([
  ['pre-activation', 0],
  ['active', 1],
  ['suspended', 2],
  ['deactivated', 3],
  ['destroyed', 5],
]);
const TYPES: ReadonlyMap<string, string> = new Map([
  ['root-key', 'false'],
  ['root', 'false'],
  ['standard-key', 'true'],
  ['standard', 'true'],
]);
const SORTABLE =
  'id, state, extractable, imported, creationDate, lastUpdateDate, lastRotateDate, deletionDate, expirationDate';

interface ListOptions extends KeyRingOptions {
  readonly sortBy?: string;
  readonly crn?: boolean;
  readonly keyFilter?: string;
  readonly keySearch?: string;
  readonly keyStates?: string;
  readonly numberOfKeys: number;
  readonly startingOffset: number;
  readonly keyType?: string;
}

export function addKeys(program: Command, ctx: CliContext): void {
  leaf(
    program,
    'keys',
    'List the keys of the instance; deleted ones only when asked for by --key-states',
    'kp keys --key-ring backups',
    'kp keys --key-states active,suspended -b -creationDate',
    'kp keys -l alias:payments',
    `kp keys -f 'creationDate=gte:"2026-01-01T00:00:00Z" extractable=false' -o json`,
  )
    .option('-b, --sort-by <list>', `${SORTABLE}; a hyphen before one turns it round`)
    .option('-c, --crn', 'show the CRNs too')
    .option('-f, --key-filter <filter>', 'conditions, as state=1,2 or creationDate=gte:"2026-01-01T00:00:00Z"')
    .option('-l, --key-search <text>', 'part of a name or an alias; before it not:, exact:, escape:, alias:, name:')
    .addOption(new Option('--key-states <list>', 'active, suspended, deactivated, destroyed').argParser(toStates))
    .option('-n, --number-of-keys <number>', 'how many, 1 to 5000', toNumber(1, 5000), 200)
    .option('-s, --starting-offset <number>', 'how many to leave out first', toNumber(0, 999_999_999), 0)
    .addOption(new Option('-t, --key-type <type>', 'only these').choices([...TYPES.keys()]))
    .addOption(keyRingOption('-r, --key-ring <ring>'))
    .action((options: ListOptions) => list(ctx, options));
}

export function addKeyShow(key: Command, ctx: CliContext): void {
  keyLeaf(
    key,
    'show',
    'Show a key; with -o json also the material of a standard key',
    'kp key show payments',
    'kp key show credentials -o json | jq -r .payload | base64 -d',
  )
    .option('--metadata', 'with -o json: without the material, which a Reader may not see')
    .action((id: string, options: KeyRingOptions & { metadata?: boolean }) => show(ctx, id, options));

  keyLeaf(key, 'versions', 'List the versions of a root key, the newest first', 'kp key versions payments -t')
    .option('-n, --number-of-key-versions <number>', 'how many, 1 to 5000', toNumber(1, 5000), 200)
    .option('-s, --starting-offset <number>', 'how many to leave out first', toNumber(0, 999_999_999), 0)
    .option('-t, --total-count', 'say how many there are in all')
    .option('-a, --all-key-states', 'also when the key is not active')
    .action((id: string, options: VersionOptions) => versions(ctx, id, options));
}

function toStates(text: string): string {
  const states = splitList(text).map((word) => STATES.get(word.toLowerCase()) ?? word);
  const stranger = states.find((state) => ![...STATES.values()].map(String).includes(String(state)));
  if (states.length > 0 && stranger === undefined) return states.join(',');
  throw new InvalidArgumentError(`A state is one of ${[...STATES.keys()].join(', ')}.`);
}

async function list(ctx: CliContext, options: ListOptions): Promise<void> {
  const { sortBy, keyFilter, keySearch, keyStates, numberOfKeys, startingOffset, keyType } = options;
  const keys = await (await KeyProtect.open(ctx, options)).keys({
    limit: String(numberOfKeys),
    offset: String(startingOffset),
    state: keyStates,
    extractable: keyType && TYPES.get(keyType),
    search: keySearch,
    sort: sortBy,
    filter: keyFilter,
  });
  const crn = options.crn === true;
  printResult(ctx, keys, () =>
    table(
      ['Key ID', 'Key Name', ...(crn ? ['CRN'] : [])],
      keys.map((key) => [key.id, key.name ?? '', ...(crn ? [key.crn ?? ''] : [])]),
    ),
  );
  if (keys.length === numberOfKeys)
    notice(ctx, `There may be more keys: -s ${startingOffset + numberOfKeys} shows those after these ${numberOfKeys}.`);
}

async function show(ctx: CliContext, id: string, options: KeyRingOptions & { metadata?: boolean }): Promise<void> {
  const api = await KeyProtect.open(ctx, options);
  // people are never shown the material, so for them it is not even asked for
  const key = await (ctx.json && options.metadata !== true ? api.key(id) : api.metadata(id));
  printResult(ctx, key, () => describe(key));
}

function describe(key: Key): string {
  const state = [...STATES].find(([, number]) => number === key.state)?.[0];
  const dates = [
    ['Last Rotate Date', key.lastRotateDate],
    ['Deletion Date', key.deletionDate],
    ['Restorable Until', key.restoreExpirationDate],
    ['Purge Allowed From', key.purgeAllowedFrom],
  ] as const;
  return listing([
    ['Key ID', key.id],
    ['Key Name', key.name],
    ['Description', key.description],
    ['Aliases', key.aliases?.join(', ') || null],
    ['Key Type', `${key.extractable ? 'standard' : 'root'} key${key.imported ? ', imported' : ''}`],
    ['State', state ?? key.state],
    ['Key Ring ID', key.keyRingID],
    ['Key Version', key.keyVersion?.id],
    ['Creation Date', key.creationDate],
    ['Expiration Date', key.expirationDate ?? 'Key does not expire'],
    ...dates.filter(([, date]) => date !== undefined && date !== null),
  ]);
}

interface VersionOptions extends KeyRingOptions {
  readonly numberOfKeyVersions: number;
  readonly startingOffset: number;
  readonly totalCount?: boolean;
  readonly allKeyStates?: boolean;
}

async function versions(ctx: CliContext, id: string, options: VersionOptions): Promise<void> {
  const { numberOfKeyVersions, startingOffset, totalCount, allKeyStates } = options;
  const collection = await (await KeyProtect.open(ctx, options)).versions(id, {
    limit: String(numberOfKeyVersions),
    offset: String(startingOffset),
    totalCount: totalCount ? 'true' : undefined,
    allKeyStates: allKeyStates ? 'true' : undefined,
  });
  const rows = collection.resources.map((version) => [version.id, version.creationDate ?? '']);
  const count = collection.metadata?.totalCount;
  printResult(ctx, collection, () =>
    [...(count === undefined ? [] : [`TotalCount: ${count}`]), table(['Key Version ID', 'Creation Date'], rows)].join(
      '\n',
    ),
  );
}

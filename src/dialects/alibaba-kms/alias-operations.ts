import { z } from 'zod';
import { CreateAlias, DeleteAlias } from '../../keys/alias.command.js';
import type { AliasRules } from '../../keys/key-rules.js';
import type { AliasView } from '../../keys/key-view.js';
import { type AliasPage, ListAliases } from '../../keys/list-aliases.query.js';
import { MoveAlias } from '../../keys/move-alias.command.js';
import { REGION } from './key-metadata.js';
import { type Asked, operation } from './operation.js';
import { AliasName, KeyId, Page } from './parameters.js';

const ALIAS = 'alias/';
/** The name was checked when the parameters were read. */
const RULES: AliasRules = { most: 50, assert: () => undefined };

export const CREATE_ALIAS = operation({
  name: 'CreateAlias',
  request: CreateAlias,
  parameters: z.object({ KeyId, AliasName }),
  refusals: { DELETION_PENDING: 'Rejected.StateModifiedFailed', KEY_STATE: 'Rejected.StateModifiedFailed' },
  async serve({ by, given, ask, at }) {
    await ask(new CreateAlias(by, at(given.KeyId), given.AliasName, RULES));
    return {};
  },
});

export const UPDATE_ALIAS = operation({
  name: 'UpdateAlias',
  request: MoveAlias,
  parameters: z.object({ KeyId, AliasName }),
  async serve({ by, given, ask, at }) {
    await ask(new MoveAlias(by, at(given.KeyId), given.AliasName));
    return {};
  },
});

export const DELETE_ALIAS = operation({
  name: 'DeleteAlias',
  request: DeleteAlias,
  parameters: z.object({ AliasName }),
  async serve({ by, given, ask, at }) {
    await ask(new DeleteAlias(by, at(given.AliasName), given.AliasName));
    return {};
  },
});

export const LIST_ALIASES = operation({
  name: 'ListAliases',
  request: ListAliases,
  parameters: z.object(Page),
  serve: (asked) => listed(asked),
});

export const LIST_ALIASES_BY_KEY = operation({
  name: 'ListAliasesByKeyId',
  request: ListAliases,
  parameters: z.object({ ...Page, KeyId }),
  serve: (asked) => listed(asked, { key: asked.given.KeyId }),
});

/** Aliases without `alias/` before them are not of this API. */
async function listed(
  { by, instanceId, given, ask }: Asked<{ readonly PageNumber: number; readonly PageSize: number }>,
  which: Pick<AliasPage, 'key'> = {},
): Promise<object> {
  const { PageNumber, PageSize } = given;
  const page = { ...which, prefix: ALIAS, limit: PageSize, offset: (PageNumber - 1) * PageSize };
  const { aliases, total } = await ask(new ListAliases(by, { instanceId }, page));
  const shown = aliases.map(({ keyId, alias }: AliasView) => ({
    KeyId: keyId,
    AliasName: alias,
    AliasArn: `acs:kms:${REGION}:${instanceId}:${alias}`,
  }));
  return { Aliases: { Alias: shown }, TotalCount: total, PageNumber, PageSize };
}

import { Controller, UseGuards } from '@nestjs/common';
import type { Caller } from '../../access/caller.js';
import { Gate } from '../../access/gate.js';
import { AskedBy } from '../../http/asked-by.js';
import { CreateImportToken } from '../../import-tokens/create-import-token.command.js';
import { GetImportToken } from '../../import-tokens/get-import-token.command.js';
import type { ImportTokenView } from '../../import-tokens/import-token-view.js';
import { Admission } from './admission.guard.js';
import { type Asked, AskedFor, Serve } from './operation.js';
import * as op from './other-operations.js';
import { dateText } from './wire.js';

/** The import token of the instance. */
@Controller()
@UseGuards(Admission)
export class ImportTokensController {
  constructor(private readonly gate: Gate) {}

  @Serve(op.CREATE_IMPORT_TOKEN)
  async create(@AskedBy() caller: Caller, @AskedFor() { target, body }: Asked<typeof op.CREATE_IMPORT_TOKEN>) {
    const { expiration, maxAllowedRetrievals } = body ?? {};
    const limits = { expirationS: expiration, maxAllowedRetrievals };
    return tokenOf(await this.gate.ask(caller, new CreateImportToken(caller, target, limits)));
  }

  @Serve(op.GET_IMPORT_TOKEN)
  async get(@AskedBy() caller: Caller, @AskedFor() { target }: Asked<typeof op.GET_IMPORT_TOKEN>) {
    const token = await this.gate.ask(caller, new GetImportToken(caller, target));
    const payload = Buffer.from(token.publicKey).toString('base64');
    return { ...tokenOf(token), payload, nonce: token.nonce.toString('base64') };
  }
}

function tokenOf({ createdAt, expiresAt, maxAllowedRetrievals, remainingRetrievals }: ImportTokenView): object {
  return {
    creationDate: dateText(createdAt),
    expirationDate: dateText(expiresAt),
    maxAllowedRetrievals,
    remainingRetrievals,
  };
}

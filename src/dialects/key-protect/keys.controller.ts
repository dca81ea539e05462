import { All, Body, Controller, Headers, HttpCode, Param, Post, Req } from '@nestjs/common';
import { z } from 'zod';
import type { Caller } from '../../access/caller.js';
import { Gate } from '../../access/gate.js';
import { ListUnits } from '../../crypto-units/read-units.query.js';
import { NO_HEALTHY_UPSTREAM } from '../../crypto-units/unit-picker.js';
import { AskedBy } from '../../http/asked-by.js';
import { instanceIn } from '../../http/instance-header.js';
import { Uuid } from '../../http/uuid.js';
import { CreateRootKey } from '../../keys/create-key.command.js';
import { UnwrapKey, WrapKey } from '../../keys/wrap.command.js';
import { fromBase64 } from '../../shared/bytes.js';
import { KeysteadError, needs } from '../../shared/errors.js';

const KEY_TYPE = 'application/vnd.ibm.kms.key+json';
const NewKey = z.strictObject({
  metadata: z.strictObject({ collectionType: z.literal(KEY_TYPE), collectionTotal: z.literal(1) }),
  resources: z
    .array(
      z.strictObject({
        type: z.literal(KEY_TYPE),
        name: z
          .string()
          .min(2)
          .max(90)
          .regex(/^\P{Cc}*$/u, 'must not have control characters'),
        extractable: z.literal(false, 'must be false: only root keys are served so far'),
      }),
    )
    .length(1),
});
const Aad = z.array(z.string().max(255)).max(255).default([]);
const WrapBody = z.strictObject({ plaintext: z.string().min(1).optional(), aad: Aad });
const UnwrapBody = z.strictObject({ ciphertext: z.string().min(1), aad: Aad });

/** The first part of IBM Key Protect's API v2: generated root keys, wrap and unwrap. */
@Controller('api/v2')
export class KeysController {
  constructor(private readonly gate: Gate) {}

  @Post('keys')
  @HttpCode(201)
  async create(
    @AskedBy() caller: Caller,
    @Headers() headers: Record<string, string>,
    @Body({ schema: NewKey }) { resources }: z.infer<typeof NewKey>,
  ) {
    const name = resources[0]?.name ?? '';
    const key = await this.gate.ask(caller, new CreateRootKey(caller.name, instanceIn(headers), name));
    const { id, createdAt } = key;
    const resource = {
      id,
      type: KEY_TYPE,
      name,
      state: 1,
      extractable: false,
      imported: false,
      creationDate: createdAt.toISOString(),
    };
    return { metadata: { collectionType: KEY_TYPE, collectionTotal: 1 }, resources: [resource] };
  }

  @Post('keys/:id/actions/wrap')
  @HttpCode(200)
  async wrap(
    @AskedBy() caller: Caller,
    @Headers() headers: Record<string, string>,
    @Param('id', { schema: Uuid }) id: string,
    @Body({ schema: WrapBody.default({ aad: [] }) }) { plaintext, aad }: z.infer<typeof WrapBody>,
  ) {
    const instance = instanceIn(headers);
    const given = plaintext === undefined ? undefined : fromBase64(plaintext, 'plaintext');
    const wrapped = await this.gate.ask(caller, new WrapKey(caller.name, instance, id, given, aad));
    return {
      ...(wrapped.plaintext !== null && { plaintext: wrapped.plaintext.toString('base64') }),
      ciphertext: wrapped.ciphertext,
      keyVersion: { id: wrapped.versionId },
    };
  }

  @Post('keys/:id/actions/unwrap')
  @HttpCode(200)
  async unwrap(
    @AskedBy() caller: Caller,
    @Headers() headers: Record<string, string>,
    @Param('id', { schema: Uuid }) id: string,
    @Body({ schema: UnwrapBody }) { ciphertext, aad }: z.infer<typeof UnwrapBody>,
  ) {
    const opened = await this.gate.ask(caller, new UnwrapKey(caller.name, instanceIn(headers), id, ciphertext, aad));
    return { plaintext: opened.plaintext.toString('base64'), keyVersion: { id: opened.versionId } };
  }

  /** Everything else of the API: IBM's 503 while no unit serves, and then a plain word. */
  @All('*')
  async other(
    @AskedBy() caller: Caller,
    @Headers() headers: Record<string, string>,
    @Req() { method, url }: { method: string; url: string },
  ): Promise<never> {
    const units = await this.gate.ask(caller, new ListUnits(instanceIn(headers)));
    const serves = units.some((unit) => unit.serving);
    needs(serves, 'NO_HEALTHY_UPSTREAM', NO_HEALTHY_UPSTREAM);
    throw new KeysteadError('NOT_FOUND', `${method} ${url} is not served`);
  }
}

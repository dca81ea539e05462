import { randomUUID } from 'node:crypto';
import { Body, Controller, Get, Headers, HttpCode, Param, Post, Put, Query } from '@nestjs/common';
import { z } from 'zod';
import type { Caller } from '../access/caller.js';
import { Gate } from '../access/gate.js';
import { Config } from '../config/config.js';
import { ReplaceUnit, SetMaintenance } from '../crypto-units/change-unit.command.js';
import { ClaimUnit } from '../crypto-units/claim-unit.command.js';
import { AskUnitFacts, ListUnits, ReadKmsUser, ShowUnit } from '../crypto-units/read-units.query.js';
import type { UnitView } from '../crypto-units/unit-view.js';
import { AskedBy } from '../http/asked-by.js';
import { instanceIn } from '../http/instance-header.js';
import { Uuid } from '../http/uuid.js';
import { KeysteadError, needs } from '../shared/errors.js';

const Pem = z
  .string()
  .min(1)
  .max(16_384)
  .regex(/^[\t\n\r -~]*$/, 'must be PEM, which is ASCII');
const ClaimBody = z.strictObject({ plan: Uuid, certificate: Pem });
const BareClaimBody = z.strictObject({ certificate: Pem });
const MaintenanceBody = z.strictObject({ on: z.boolean() });
const Nonce = z.string().regex(/^[A-Za-z0-9_-]{22,86}$/, 'must be base64url of 16 to 64 bytes');
const FactsQuery = z.strictObject({ nonce: Nonce, capabilities: z.literal('true').optional() });

const Replacement = z.strictObject({ lost: z.boolean().default(false) }).default({ lost: false });

/** Crypto units: IBM's four HTTP calls (list, claim, zeroize, kmsCryptoUser metadata) and ours beside them. */
@Controller('api/v1')
export class CryptoUnitsController {
  constructor(
    private readonly gate: Gate,
    private readonly config: Config,
  ) {}

  @Get('cryptounits')
  async list(@AskedBy() caller: Caller, @Headers() headers: Record<string, string>) {
    const views = await this.gate.ask(caller, new ListUnits(instanceIn(headers)));
    return views.map(listed);
  }

  @Get('cryptouser/metadata')
  kmsUser(@AskedBy() caller: Caller, @Headers() headers: Record<string, string>) {
    return this.gate.ask(caller, new ReadKmsUser(instanceIn(headers)));
  }

  @Get('cryptounits/:id')
  show(@AskedBy() caller: Caller, @Param('id', { schema: Uuid }) id: string) {
    return this.gate.ask(caller, new ShowUnit(id));
  }

  @Get('cryptounits/:id/facts')
  facts(
    @AskedBy() caller: Caller,
    @Param('id', { schema: Uuid }) id: string,
    @Query({ schema: FactsQuery }) { nonce, capabilities }: z.infer<typeof FactsQuery>,
  ) {
    return this.gate.ask(caller, new AskUnitFacts(id, nonce, capabilities === 'true'));
  }

  @Post('cryptounits/:id/claim')
  @HttpCode(200)
  claim(
    @AskedBy() caller: Caller,
    @Param('id', { schema: Uuid }) id: string,
    @Body({ schema: ClaimBody }) { plan, certificate }: z.infer<typeof ClaimBody>,
  ) {
    return this.gate.ask(caller, new ClaimUnit(caller, id, plan, certificate));
  }

  /** IBM's bare claim: a public key that proves nothing about the file it came from. */
  @Post('cryptounits/claim')
  @HttpCode(200)
  claimBare(
    @AskedBy() caller: Caller,
    @Headers('crypto-unit-id') unitId: string | undefined,
    @Body({ schema: BareClaimBody }) { certificate }: z.infer<typeof BareClaimBody>,
  ) {
    needs(
      this.config.bareClaim,
      'FORBIDDEN',
      "the bare claim is switched off (KEYSTEAD_BARE_CLAIM); use 'kp crypto-unit claim --credential FILE'",
    );
    const id = Uuid.safeParse(unitId);
    needs(id.success, 'BAD_REQUEST', 'the header Crypto-Unit-ID must name the crypto unit');
    return this.gate.ask(caller, new ClaimUnit(caller, id.data, randomUUID(), certificate));
  }

  /** IBM's bare zeroize carries no signature, so no unit obeys it. */
  @Post('crypto_units/:id/zeroize')
  async zeroizeBare(@AskedBy() caller: Caller, @Param('id', { schema: Uuid }) id: string): Promise<never> {
    await this.gate.ask(caller, new ShowUnit(id));
    throw new KeysteadError(
      'COMMAND_UNSIGNED',
      `a unit is zeroized by its admins only: kp crypto-unit zeroize --id ${id} --auth '[{"ADMIN":"FILE"}]'`,
    );
  }

  @Put('cryptounits/:id/maintenance')
  maintenance(
    @AskedBy() caller: Caller,
    @Param('id', { schema: Uuid }) id: string,
    @Body({ schema: MaintenanceBody }) { on }: z.infer<typeof MaintenanceBody>,
  ) {
    return this.gate.ask(caller, new SetMaintenance(caller, id, on));
  }

  @Post('cryptounits/:id/replace')
  @HttpCode(201)
  replace(
    @AskedBy() caller: Caller,
    @Param('id', { schema: Uuid }) id: string,
    @Body({ schema: Replacement }) { lost }: z.infer<typeof Replacement>,
  ) {
    return this.gate.ask(caller, new ReplaceUnit(caller, id, lost));
  }
}

function listed({ id, instanceId, state, zone, conditions, record }: UnitView) {
  const { threshold = null, admins = [] } = record ?? {};
  return { id, instanceId, state, zone, conditions, threshold, admins };
}

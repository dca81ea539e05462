import { Controller, UseGuards } from '@nestjs/common';
import { Gate } from '../../access/gate.js';
import { CreateGrant, RetireGrant, RevokeGrant } from '../../keys/grants.command.js';
import type { GrantView, ListedGrants } from '../../keys/key-grant.js';
import { ListGrants, ListRetirableGrants } from '../../keys/list-grants.query.js';
import { Admission } from './admission.guard.js';
import * as op from './grant-operations.js';
import { type Asked, AskedFor, Serve } from './operation.js';
import { callerIdOf, userIdOf } from './project.js';
import { HuaweiRefusal } from './refusals.js';
import { millisecondsText, nextPage } from './wire.js';

const IAM_PREFIX = /^iam-ServiceId-/;

/** Grants: what somebody may do with one key, whatever its roles. */
@Controller()
@UseGuards(Admission)
export class GrantsController {
  constructor(private readonly gate: Gate) {}

  @Serve(op.CREATE_GRANT)
  async create(@AskedFor() { caller, place, body }: Asked<typeof op.CREATE_GRANT>) {
    const operations = [...new Set(body.operations)];
    if (operations.every((name) => name === 'create-grant')) throw new HuaweiRefusal('KMS.2401');
    const input = {
      grantee: callerIdOf(body.grantee_principal),
      operations: operations.map((name) => op.GRANTABLE[name]),
      name: body.name,
      retiringPrincipal: body.retiring_principal ? callerIdOf(body.retiring_principal) : undefined,
    };
    const { id } = await this.gate.ask(caller, new CreateGrant(caller, { ...place, key: body.key_id }, input));
    return { grant_id: id };
  }

  @Serve(op.REVOKE_GRANT)
  async revoke(@AskedFor() { caller, place, body }: Asked<typeof op.REVOKE_GRANT>) {
    const target = { ...place, key: body.key_id };
    await this.gate.ask(caller, new RevokeGrant(caller, target, body.grant_id.toLowerCase()));
    return {};
  }

  @Serve(op.RETIRE_GRANT)
  async retire(@AskedFor() { caller, place, body }: Asked<typeof op.RETIRE_GRANT>) {
    const target = { ...place, key: body.key_id };
    await this.gate.ask(caller, new RetireGrant(caller, target, body.grant_id.toLowerCase()));
    return {};
  }

  @Serve(op.LIST_GRANTS)
  async list(@AskedFor() { caller, place, body }: Asked<typeof op.LIST_GRANTS>) {
    const page = pageOf(body);
    const target = { ...place, key: body.key_id };
    return listOf(await this.gate.ask(caller, new ListGrants(caller, target, page)), page.offset);
  }

  @Serve(op.LIST_RETIRABLE_GRANTS)
  async retirable(@AskedFor() { caller, place, body }: Asked<typeof op.LIST_RETIRABLE_GRANTS>) {
    const page = pageOf(body);
    return listOf(await this.gate.ask(caller, new ListRetirableGrants(caller, place, page)), page.offset);
  }
}

function pageOf({ limit, marker }: { limit?: number | undefined; marker?: number | undefined }) {
  return { limit: limit ?? op.MOST_GRANTS_LISTED, offset: marker ?? 0 };
}

function listOf({ grants, total }: ListedGrants, offset: number) {
  return { grants: grants.map(grantOf), ...nextPage(offset, grants.length, total), total };
}

function grantOf(grant: GrantView) {
  const named = Object.entries(op.GRANTABLE).filter(([, ours]) => grant.operations.includes(ours));
  return {
    key_id: grant.keyId,
    grant_id: grant.id,
    operations: named.map(([name]) => name),
    grantee_principal: userIdOf(grant.grantee),
    grantee_principal_type: 'user',
    retiring_principal: userIdOf(grant.retiringPrincipal ?? ''),
    issuing_principal: userIdOf(grant.createdBy.replace(IAM_PREFIX, '')),
    name: grant.name,
    creation_date: millisecondsText(grant.createdAt),
  };
}

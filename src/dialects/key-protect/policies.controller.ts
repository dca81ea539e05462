import { Controller, UseGuards } from '@nestjs/common';
import type { Caller } from '../../access/caller.js';
import { Gate } from '../../access/gate.js';
import { AskedBy } from '../../http/asked-by.js';
import { GetAllowedIpPort, GetInstancePolicies } from '../../keys/instance-policies.query.js';
import type { InstancePolicyView } from '../../keys/instance-policy-rules.js';
import { GetKeyPolicies } from '../../keys/key-policies.query.js';
import type { KeyPolicyView } from '../../keys/key-view.js';
import { SetInstancePolicies } from '../../keys/set-instance-policies.command.js';
import { SetKeyPolicies } from '../../keys/set-key-policies.command.js';
import { Admission } from './admission.guard.js';
import { crnOf } from './mapping.js';
import { type Asked, AskedFor, Serve } from './operation.js';
import * as op from './other-operations.js';
import { attributesOf, instancePoliciesOf, keyPoliciesOf } from './policy.schemas.js';
import { ALLOWED_IP_TYPE, collectionOf, dateText, POLICY_TYPE, present } from './wire.js';

/** Policies of keys and of the instance. */
@Controller()
@UseGuards(Admission)
export class PoliciesController {
  constructor(private readonly gate: Gate) {}

  @Serve(op.SET_KEY_POLICIES)
  async set(@AskedBy() caller: Caller, @AskedFor() { target, query, body }: Asked<typeof op.SET_KEY_POLICIES>) {
    const input = keyPoliciesOf(body, query.policy);
    return keyPolicies(target.instanceId, await this.gate.ask(caller, new SetKeyPolicies(caller, target, input)));
  }

  @Serve(op.GET_KEY_POLICIES)
  async get(@AskedBy() caller: Caller, @AskedFor() { target, query }: Asked<typeof op.GET_KEY_POLICIES>) {
    const found = await this.gate.ask(caller, new GetKeyPolicies(caller, target, query.policy));
    return keyPolicies(target.instanceId, found);
  }

  @Serve(op.SET_INSTANCE_POLICIES)
  async setOfInstance(
    @AskedBy() caller: Caller,
    @AskedFor() { target, query, body }: Asked<typeof op.SET_INSTANCE_POLICIES>,
  ): Promise<void> {
    const input = instancePoliciesOf(body, query.policy);
    await this.gate.ask(caller, new SetInstancePolicies(caller, target, input));
  }

  @Serve(op.GET_INSTANCE_POLICIES)
  async getOfInstance(
    @AskedBy() caller: Caller,
    @AskedFor() { target, query }: Asked<typeof op.GET_INSTANCE_POLICIES>,
  ) {
    const found = await this.gate.ask(caller, new GetInstancePolicies(caller, target, query.policy));
    return collectionOf(POLICY_TYPE, found.map(instancePolicyOf));
  }

  @Serve(op.GET_ALLOWED_IP_PORT)
  async allowedIpPort(@AskedBy() caller: Caller, @AskedFor() { target }: Asked<typeof op.GET_ALLOWED_IP_PORT>) {
    const port = await this.gate.ask(caller, new GetAllowedIpPort(caller, target));
    return collectionOf(ALLOWED_IP_TYPE, port === null ? [] : [{ private_endpoint_port: port }]);
  }
}

function keyPolicies(instanceId: string, policies: readonly KeyPolicyView[]): object {
  const resources = policies.map((policy) =>
    present({
      id: policy.id,
      crn: crnOf(instanceId, 'policy', policy.id),
      type: POLICY_TYPE,
      rotation: policy.rotation && {
        enabled: policy.rotation.enabled,
        interval_month: policy.rotation.intervalMonth,
      },
      dualAuthDelete: policy.dualAuthDelete && { enabled: policy.dualAuthDelete.enabled },
      createdBy: policy.createdBy,
      creationDate: dateText(policy.createdAt),
      updatedBy: policy.updatedBy,
      lastUpdateDate: dateText(policy.updatedAt),
    }),
  );
  return collectionOf(POLICY_TYPE, resources);
}

function instancePolicyOf(policy: InstancePolicyView): object {
  const { type, enabled, attributes, createdAt, updatedAt } = policy;
  return {
    policy_type: type,
    policy_data: present({ enabled, attributes: attributesOf(type, attributes) }),
    creationDate: dateText(createdAt),
    createdBy: policy.createdBy,
    updatedBy: policy.updatedBy,
    lastUpdated: dateText(updatedAt),
  };
}

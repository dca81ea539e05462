import { All, Controller, Post, Req } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import type { Caller } from '../../access/caller.js';
import { Fleet } from '../../crypto-units/fleet.js';
import { noHealthyUpstream } from '../../crypto-units/no-healthy-upstream.js';
import { UnitPicker } from '../../crypto-units/unit-picker.js';
import { AskedBy } from '../../http/asked-by.js';
import { FieldError, KeysteadError } from '../../shared/errors.js';
import { answerTo } from './errors.js';
import { WireError } from './refusals.js';

const REFUSED = {
  answerTo: (error: KeysteadError) => answerTo(error, 'Action could not be performed'),
};
const KEY = 'api/v2/keys/:id';

/** What is not served here, in IBM's words: features that are not enabled, what is for services only, and nothing at all. */
@Controller()
export class OtherController {
  constructor(
    private readonly fleet: Fleet,
    private readonly units: UnitPicker,
  ) {}

  @All([
    ...['api/v2/kmip_adapters', 'api/v2/kmip_adapters/*', `${KEY}/migrationIntent`],
    ...['governance/v1/configs', 'crypto_v2/instances/:instance'],
  ])
  @RouteConfig(REFUSED)
  restricted(@AskedBy() _caller: Caller): never {
    this.#needUnit();
    throw new KeysteadError('FEATURE_RESTRICTED', 'KMIP, governance and migration are not served');
  }

  @All(['api/v2/event_ack', `${KEY}/registrations/:crn`])
  @RouteConfig(REFUSED)
  forServices(@AskedBy() _caller: Caller): never {
    this.#needUnit();
    throw new WireError('SERVICE_ONLY_ERR');
  }

  @Post(`${KEY}/registrations`)
  @RouteConfig(REFUSED)
  register(@AskedBy() caller: Caller): never {
    return this.forServices(caller);
  }

  @All(['api/v2', 'api/v2/*'])
  @RouteConfig(REFUSED)
  nothing(@AskedBy() _caller: Caller, @Req() { method, url, params, query }: FastifyRequest): never {
    this.#needUnit();
    const action = (query as { action?: unknown }).action;
    if (method === 'POST' && action !== undefined && /^keys\/[^/]+$/.test((params as { '*'?: string })['*'] ?? '')) {
      const constraint =
        'one of wrap, unwrap, rewrap, rotate, disable, enable, setKeyForDeletion, unsetKeyForDeletion, restore';
      throw new FieldError('QUERY_INVALID', constraint, { type: 'query_param', name: 'action' });
    }
    throw new KeysteadError('NOT_FOUND', `there is no ${method} ${url.split('?')[0]}`);
  }

  #needUnit(): void {
    const serves = this.fleet.instances().some(({ id }) => this.units.serving(id).length > 0);
    if (!serves) throw noHealthyUpstream([]); // no instance is asked for, so none is told of
  }
}
